# Sourced by scripts/check_release and scripts/benchmark_peers behind environment.sh: the peers' environments under out/peers.

peers=$root/out/peers

# `prepare_peer NAME PACKAGE...` leaves out/peers/NAME with these packages, made by Python 3.11.
prepare_peer() {
    local name=$1
    shift
    if [ -e "$peers/$name/.installed" ] && [ "$(cat "$peers/$name/.installed")" = "$*" ]; then
        return
    fi
    command -v python3.11 >/dev/null || fail "needs python3.11 on the PATH: TensorFlow 2.15 has no wheels for later ones"
    echo "Making out/peers/$name"
    rm -rf "${peers:?}/$name"
    mkdir -p "$peers"
    python3.11 -m venv "$peers/$name"
    "$peers/$name/bin/python" -m pip install --quiet --disable-pip-version-check "${@}"
    echo "$*" >"$peers/$name/.installed"
}

prepare_timm() {
    prepare_peer timm timm==1.0.31 torch==2.13.0 torchvision safetensors numpy onnx onnxscript onnxruntime openvino
}

prepare_kecam() {
    prepare_peer kecam tensorflow==2.15.1 "numpy<2" h5py keras-cv-attention-models==1.4.3
}
