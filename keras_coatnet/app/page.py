"""The page itself, made with Gradio: nothing on it comes from elsewhere, and nothing is told to anybody."""

import os

from keras_coatnet.app.answer import answer, blend
from keras_coatnet.app.models import LAST_STAGE
from keras_coatnet.images.read import UnreadableImage

TITLE = "What does it see?"
LARGEST_UPLOAD = "64mb"
# Seconds after which uploads are deleted, and between looks at them.
UPLOADS_KEPT = (3600, 600)
STRENGTH = 0.8
STAGES = (LAST_STAGE, "stem", "stage1", "stage2", "stage3", "stage4")
# Gradio's own fonts come from Google.
FONTS, FIXED_FONTS = ("system-ui", "sans-serif"), ("ui-monospace", "monospace")


def make_page(models):
    """A Gradio page around `Models`.

    Raises: ModuleNotFoundError without Gradio.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import gradio

    names = list(models.sources)
    with gradio.Blocks(title=TITLE, analytics_enabled=False, delete_cache=UPLOADS_KEPT) as page:
        gradio.Markdown(f"# {TITLE}")
        path, found = gradio.State(), gradio.State()
        with gradio.Row():
            with gradio.Column():
                upload = gradio.File(label="Drop a photograph", elem_id="upload")
                pasted = gradio.Image(
                    label="or paste one", type="filepath", sources=["clipboard"], format="png", height=160, buttons=[]
                )
                name = gradio.Dropdown(names, value=names[0], label="Model", elem_id="model")
                stage = gradio.Dropdown(
                    list(STAGES), value=LAST_STAGE, label="Stage, or a layer", allow_custom_value=True, elem_id="stage"
                )
            with gradio.Column():
                seen = gradio.Image(
                    label="What speaks for it",
                    interactive=False,
                    format="jpeg",
                    buttons=["download", "fullscreen"],
                    elem_id="seen",
                )
                strength = gradio.Slider(0, 1, STRENGTH, step=0.05, label="Heat", elem_id="strength")
            with gradio.Column():
                labels = gradio.Label(label="Labels", elem_id="labels")
                told = gradio.Markdown(elem_id="told")
        asked, shown = [path, name, stage, strength], [found, seen, labels, told]
        show = _shower(gradio, models)
        for source, event in ((upload, upload.upload), (pasted, pasted.input)):
            event(_same, source, path, show_progress="hidden").then(show, asked, shown, show_progress="minimal")
        for event in (name.change, stage.change):
            event(show, asked, shown, show_progress="minimal")
        strength.release(_blended, [found, strength], seen, show_progress="hidden")
    return page


def _shower(gradio, models):
    """The function that fills a page: (path, model, stage, strength) -> (found, heat, labels, what is told)."""

    def show(path, name, stage, strength):
        if path is None:
            return None, None, None, ""
        try:
            found = answer(models, name, stage, path)
        except UnreadableImage as error:
            # Without the folder that the upload was put into.
            return refused(str(error).replace(str(path), os.path.basename(path)))
        except (ValueError, OSError) as error:
            return refused(" ".join(str(error).split()))
        told = f"Where it sees: {found.about}. Answered in {found.seconds:.2f} s."
        heated = blend(found.picture, found.heat, strength)
        return (found.picture, found.heat), heated, dict(found.guesses), told

    def refused(reason):
        gradio.Warning(reason)
        return None, None, None, reason

    return show


def _same(path):
    return path


def _blended(found, strength):
    return None if found is None else blend(*found, strength)


def serve(page, host, port, open_browser):
    """Starts a page in threads of its own; `page.block_thread()` waits until it ends.

    Args:
        page: of `make_page`.
        host, port: to listen at; a port of None is the first free one from 7860.
        open_browser: whether the user's browser shows it.

    Returns: its address.
    Raises: OSError for a port that is taken.
    """
    import gradio

    _, address, _ = page.queue(default_concurrency_limit=1).launch(
        server_name=host,
        server_port=port,
        inbrowser=open_browser,
        prevent_thread_lock=True,
        max_file_size=LARGEST_UPLOAD,
        theme=gradio.themes.Default(font=FONTS, font_mono=FIXED_FONTS),
        footer_links=[],
        quiet=True,
        # Whatever a page could tell others, or be told by the environment to do.
        share=False,
        enable_monitoring=False,
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
    )
    return address
