"""Sentences out of TensorFlow's messages."""

from __future__ import annotations

from serving.client.errors import sentence

ASSERTION = """{{function_node __inference_serving_default_412}} {{function_node cond_true_77}} assertion failed: \
[picture refused: height and width] [60000 60000] [are over the limit of] [4000000] [pixels]
\t [[{{node map/while/Assert/Assert}}]]
\t [[StatefulPartitionedCall]] [Op:__inference_signature_wrapper_1]"""


def test_of_an_assertion_the_text_and_the_figures_are_kept() -> None:
    assert sentence(ASSERTION) == "picture refused: height and width 60000 60000 are over the limit of 4000000 pixels"


def test_of_another_error_the_first_line_is_kept_without_the_graph() -> None:
    message = "{{function_node f}} Invalid PNG data, size 60\n\t [[{{node map/while/DecodeImage}}]]"
    assert sentence(message) == "Invalid PNG data, size 60"
    assert sentence("Detected at node 'x' defined at\nInvalid PNG") == "Invalid PNG"
    assert sentence("") == ""
