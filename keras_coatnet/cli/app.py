"""keras-coatnet app: a local page to drop photographs on."""

import argparse

from keras_coatnet.cli.arguments import positive_integer
from keras_coatnet.cli.errors import UsageError, bad_input
from keras_coatnet.deploy.runtimes import is_exported
from keras_coatnet.prediction.default_model import DEFAULT_VARIANT
from keras_coatnet.prediction.load import check_source

LOOPBACK = "127.0.0.1"

NOTES = """
The page offers the model that is named here and all released weights that are in the cache. It is for this machine
alone unless --host says otherwise; then anybody who reaches that address can use it.

examples:
  keras-coatnet app
  keras-coatnet app --model run/model.keras
"""


def add_parser(subparsers):
    parser = subparsers.add_parser(
        "app",
        help="open a local page to try a model on",
        epilog=NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model",
        metavar="NAME|FILE",
        help="variant or saved model (.keras) (default: as for predict)",
    )
    parser.add_argument(
        "--weights", metavar="TAG|FILE", help="trained weights for the variant NAME (default: imagenet)"
    )
    parser.add_argument("--host", default=LOOPBACK, help=f"address to listen at (default: {LOOPBACK})")
    parser.add_argument("--port", type=positive_integer, metavar="N", help="(default: the first free one from 7860)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    parser.set_defaults(run=run)


def run(options):
    with bad_input():
        sources = model_sources(options.model, options.weights)
    try:
        from keras_coatnet.app.page import make_page, serve

        page = make_page(sources)
    except ModuleNotFoundError as error:
        raise UsageError(f"the page needs {error.name}: pip install 'keras-coatnet[app]'") from None
    with bad_input():
        address = serve(page, options.host, options.port, not options.no_browser)
    print(f"The page is at {address} (Ctrl-C ends it)", flush=True)
    page.block_thread()
    return 0


def model_sources(model, weights):
    """`Models` of the one that is named, then of those in the cache.

    Raises: ValueError for a model or weights that cannot be.
    """
    from keras_coatnet.app.models import Models, cached_models

    if model is not None and is_exported(model):
        raise UsageError(f"{model} is an exported file, without gradients: name a variant or a .keras file")
    if model is None and weights is not None:
        model = DEFAULT_VARIANT
    if model is None:
        return Models({"default": (None, None), **cached_models()})
    check_source(model, weights)
    name = model if weights is None else f"{model} with {weights}"
    return Models({name: (model, weights), **cached_models()})
