"""Sentences out of TensorFlow's messages."""

from __future__ import annotations

import pytest

from segpipe_client.errors import extract_error_message, shortened

ASSERTION = """{{function_node __inference_serving_default_412}} {{function_node cond_true_77}} assertion failed: \
[picture refused: height and width] [60000 60000] [are over the limit of] [4000000] [pixels]
\t [[{{node map/while/Assert/Assert}}]]
\t [[StatefulPartitionedCall]] [Op:__inference_signature_wrapper_1]"""


def test_of_an_assertion_the_text_and_the_figures_are_kept() -> None:
    assert (
        extract_error_message(ASSERTION)
        == "picture refused: height and width 60000 60000 are over the limit of 4000000 pixels"
    )


def test_of_another_error_the_first_line_is_kept_without_the_graph() -> None:
    message = "Graph execution error:\n\n{{function_node f}} Out of tiles, 60\n\t [[{{node map/while/Tile}}]]"
    assert extract_error_message(message) == "Out of tiles, 60"


@pytest.mark.parametrize(
    ("decoder", "kind"),
    [
        ("jpeg::Uncompress failed. Invalid JPEG data or crop window.", "JPEG"),
        ("Invalid JPEG data, size 4033", "JPEG"),
        ("Invalid PNG data, size 60", "PNG"),
        ("Invalid PNG. Failed to initialize decoder.", "PNG"),
        ("Invalid GIF data (size 9), failed to slurp gif file: Failed to read from given file", "GIF"),
        ("Input size should match (header_size + row_size * abs_height) but they differ by -2", "BMP"),
    ],
)
def test_what_a_decoder_says_becomes_a_refusal_that_names_the_format(decoder: str, kind: str) -> None:
    message = f"Graph execution error:\n\n{decoder}\n\t [[{{{{node map_1/while/decode_image/DecodeImage}}}}]]"
    assert extract_error_message(message) == f"picture refused: the {kind} data is damaged or ends early"


def test_nothing_is_left_of_a_message_that_is_only_graph() -> None:
    assert extract_error_message("Graph execution error:\n\n\t [[{{node x}}]]") == "the graph failed"


def test_what_was_sent_is_shortened_and_has_no_control_characters() -> None:
    assert shortened("a" * 10_000) == "a" * 64 + "…"
    assert shortened("a\n\x1b[31mb") == "a\ufffd\ufffd[31mb"
    assert extract_error_message("Detected at node 'x' defined at\nOut of tiles") == "Out of tiles"
    assert extract_error_message("") == "the graph failed"
    unavailable = "Graph execution error:\n\nDetected at node decode defined at (most recent call last):\n"
    assert extract_error_message(f"{unavailable}<stack traces unavailable>\nOut of tiles") == "Out of tiles"
