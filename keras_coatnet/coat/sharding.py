"""Which kernels of a CoaT are cut over devices: the wide ones. Paths of variables as regular expressions."""

from keras_coatnet.families.sharding import BY_INPUTS, BY_OUTPUTS

SERIAL, PARALLEL = r"(.*/)?stage\d+_block\d+", r"(.*/)?parallel_block\d+"

SHARDED_KERNELS = {
    rf"{SERIAL}/attention/qkv/kernel": BY_OUTPUTS,
    rf"{SERIAL}/attention/projection/kernel": BY_INPUTS,
    rf"{SERIAL}/mlp/expansion/kernel": BY_OUTPUTS,
    rf"{SERIAL}/mlp/projection/kernel": BY_INPUTS,
    rf"{PARALLEL}/attention\d+/qkv/kernel": BY_OUTPUTS,
    rf"{PARALLEL}/attention\d+/projection/kernel": BY_INPUTS,
    rf"{PARALLEL}/mlp/expansion/kernel": BY_OUTPUTS,
    rf"{PARALLEL}/mlp/projection/kernel": BY_INPUTS,
}
