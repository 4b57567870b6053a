"""Calls the endpoint with KServe's client over REST and gRPC; prints what it got as JSON.

Run by test_v2_commands.py with the Python of SEGPIPE_TEST_V2_CLIENTS: HTTP_ADDRESS GRPC_ADDRESS MODEL IMAGE.
"""

import asyncio
import base64
import json
import sys
from pathlib import Path

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

http_address, grpc_address, model, image_file = sys.argv[1:]
IMAGE = Path(image_file).read_bytes()
URL = f"http://{http_address}"


def request(is_raw, **options):
    image = InferInput("image", [1], "BYTES", data=None if is_raw else [base64.b64encode(IMAGE).decode()])
    if is_raw:
        image.set_data_from_numpy(np.array([IMAGE], dtype=object), binary_data=True)
    return InferRequest(model, [image], request_id="7", **options)


def answer(response):
    mask = next(output for output in response.outputs if output.name == "mask_bytes").as_numpy()[0]
    encoded = mask if isinstance(mask, str) else base64.b64encode(mask).decode()
    return {"mask_bytes": encoded, "id": response.id, "version": response.model_version}


async def call():
    mask = [RequestedOutput("mask_bytes")]  # As JSON: KServe 0.21 decodes raw bytes of REST as text, which no PNG is.
    async with (
        InferenceRESTClient(RESTConfig(protocol="v2")) as rest,
        InferenceGRPCClient(grpc_address) as grpc,
    ):
        answers = {
            "rest json": answer(await rest.infer(URL, request(False), model)),
            "rest raw": answer(await rest.infer(URL, request(True), model)),
            "rest one output": answer(await rest.infer(URL, request(True, request_outputs=mask), model)),
            "grpc raw": answer(await grpc.infer(request(True))),
            "grpc version": answer(await grpc.infer(request(True, model_version="stable"))),
        }
        ready = {
            "rest": [
                await rest.is_server_live(URL),
                await rest.is_server_ready(URL),
                await rest.is_model_ready(URL, model),
            ],
            "grpc": [await grpc.is_server_live(), await grpc.is_server_ready(), await grpc.is_model_ready(model)],
        }
    return {"answers": answers, "ready": ready}


print(json.dumps(asyncio.run(call())))
