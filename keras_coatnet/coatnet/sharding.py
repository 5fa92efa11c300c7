"""Which kernels of a CoAtNet are cut over devices: the wide ones. Paths of variables as regular expressions."""

from keras_coatnet.families.sharding import BY_CHANNELS, BY_INPUTS, BY_OUTPUTS

BLOCK = r"(.*/)?stage\d+_block\d+"

SHARDED_KERNELS = {
    rf"{BLOCK}/expansion/kernel": BY_OUTPUTS,
    rf"{BLOCK}/depthwise/kernel": BY_CHANNELS,
    rf"{BLOCK}/squeeze_excite/reduce/kernel": BY_INPUTS,
    rf"{BLOCK}/squeeze_excite/expand/kernel": BY_OUTPUTS,
    rf"{BLOCK}/projection/kernel": BY_INPUTS,
    # Columns lie head by head, so that a device has whole heads wherever their number allows.
    rf"{BLOCK}/attention/qkv/kernel": BY_OUTPUTS,
    rf"{BLOCK}/attention/projection/kernel": BY_INPUTS,
    rf"{BLOCK}/mlp_expansion/kernel": BY_OUTPUTS,
    rf"{BLOCK}/mlp_projection/kernel": BY_INPUTS,
}
