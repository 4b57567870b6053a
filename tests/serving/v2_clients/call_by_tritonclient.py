"""Calls the endpoint with tritonclient over HTTP and gRPC; prints what it got as JSON.

Run by test_v2_commands.py with the Python of SEGPIPE_TEST_V2_CLIENTS: HTTP_ADDRESS GRPC_ADDRESS MODEL IMAGE.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
import tritonclient.grpc as by_grpc
import tritonclient.http as by_http
from tritonclient.utils import InferenceServerException

http_address, grpc_address, model, image_file = sys.argv[1:]
IMAGE = Path(image_file).read_bytes()
http, grpc = by_http.InferenceServerClient(http_address), by_grpc.InferenceServerClient(grpc_address)
MODULES = {"http": (by_http, http), "grpc": (by_grpc, grpc)}


def tensor(module, content=IMAGE):
    made = module.InferInput("image", [1], "BYTES")
    made.set_data_from_numpy(np.array([content], dtype=object))
    return made


def as_bytes(value):
    """A mask as bytes; JSON has its base64."""
    return base64.b64decode(value) if isinstance(value, str) else value


def answer(result):
    response = result.get_response()
    version = response["model_version"] if isinstance(response, dict) else response.model_version
    return {
        "mask_bytes": base64.b64encode(as_bytes(result.as_numpy("mask_bytes")[0])).decode(),
        "class_fractions": result.as_numpy("class_fractions").tolist(),
        "version": version,
    }


NAMES = ("mask_bytes", "class_fractions")
raw = [by_http.InferRequestedOutput(name, binary_data=True) for name in NAMES]
text = [by_http.InferRequestedOutput(name, binary_data=False) for name in NAMES]
gzip = {"request_compression_algorithm": "gzip", "response_compression_algorithm": "gzip"}
all_outputs = http.infer(model, [tensor(by_http)], request_id="7", model_version="stable")
answers = {
    "http": answer(http.infer(model, [tensor(by_http)], outputs=raw)),
    "http json": answer(http.infer(model, [tensor(by_http)], outputs=text, model_version="1")),
    "http gzip": answer(http.infer(model, [tensor(by_http)], outputs=raw, **gzip)),
    "http all": answer(all_outputs),
    "grpc": answer(
        grpc.infer(model, [tensor(by_grpc)], outputs=[by_grpc.InferRequestedOutput(name) for name in NAMES])
    ),
    "grpc all": answer(grpc.infer(model, [tensor(by_grpc)], request_id="7", model_version="1", timeout=30_000_000)),
}


def refusal(module, client):
    try:
        client.infer(model, [tensor(module, b"no picture")])
    except InferenceServerException as error:
        return error.message()
    return ""


print(
    json.dumps(
        {
            "answers": answers,
            "names": [name.decode() for name in all_outputs.as_numpy("class_names")[0]],
            "live": {
                name: [
                    client.is_server_live(),
                    client.is_server_ready(),
                    client.is_model_ready(model),
                    client.is_model_ready(model, "1"),
                    client.is_model_ready(model, "9"),
                ]
                for name, (_, client) in MODULES.items()
            },
            "metadata": {
                "http": http.get_model_metadata(model),
                "grpc": grpc.get_model_metadata(model, as_json=True),
            },
            "refused": {name: refusal(module, client) for name, (module, client) in MODULES.items()},
        }
    )
)
