"""Asks a running server with the clients of Triton and KServe.

Usage: check.py http://127.0.0.1:8080 MODEL

The questions are made from the model's own metadata, so any model will do. Every answer must be the
same by every client, in JSON and in binary.
"""

import asyncio
import datetime
import math
import sys
import urllib.parse

import numpy as np
import tritonclient.http as triton
from kserve import InferInput, InferRequest, InferenceRESTClient, RESTConfig

ROWS = 5


def column(name, datatype):
    """Values for an input, by its type and name."""
    if datatype == "FP64":
        return np.linspace(50.0, 250.0, ROWS)
    if name.endswith("_at") or "time" in name:
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        return np.array([now] * ROWS, dtype=object)
    return np.array([f"value-{row}" for row in range(ROWS)], dtype=object)


def ask_triton(url, model):
    client = triton.InferenceServerClient(urllib.parse.urlparse(url).netloc)
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(model) and client.is_model_ready(model, "champion")
    assert client.get_server_metadata()["name"] == "trueup"
    metadata = client.get_model_metadata(model)
    assert client.get_model_config(model)["name"] == model
    assert client.get_inference_statistics(model)["model_stats"]
    assert client.get_inference_statistics()["model_stats"]
    assert client.get_model_repository_index()[0]["state"] == "READY"
    columns = {i["name"]: column(i["name"], i["datatype"]) for i in metadata["inputs"]}
    answers = []
    for binary in (True, False):
        inputs = []
        for tensor in metadata["inputs"]:
            values = columns[tensor["name"]]
            sent = triton.InferInput(tensor["name"], [ROWS], tensor["datatype"])
            sent.set_data_from_numpy(values, binary_data=binary)
            inputs.append(sent)
        names = ["answer", "correction", "status", "reason"]
        outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in names]
        # Outputs that are not named come in binary all the same.
        for wanted in (outputs, None):
            result = client.infer(model, inputs, request_id="42", outputs=wanted)
            reply = result.get_response()
            assert reply["id"] == "42" and reply["model_name"] == model, reply
            assert len(reply["parameters"]["digest"]) == 64, reply
            answer, status = result.as_numpy("answer"), result.as_numpy("status")
            assert answer.dtype == np.float64 and answer.shape == (ROWS,), answer
            assert all(math.isfinite(value) for value in answer), answer
            known = {"corrected", "primary"}
            texts = [s.decode() if isinstance(s, bytes) else s for s in status]
            assert known.issuperset(texts), texts
            answers.append(answer.tolist())
    try:
        client.get_model_metadata("nobody")
    except triton.InferenceServerException as error:
        assert "no such model" in str(error), error
    else:
        raise AssertionError("a model that is not there has no metadata")
    assert answers.count(answers[0]) == len(answers), answers
    print(f"tritonclient: {len(answers)} inferences of {ROWS} rows are equal")
    return metadata, columns, answers[0]


async def ask_kserve(url, model, metadata, columns, expected):
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(url) and await client.is_server_ready(url)
    assert await client.is_model_ready(url, model)
    for binary in (False, True):
        inputs = []
        for tensor in metadata["inputs"]:
            sent = InferInput(tensor["name"], [ROWS], tensor["datatype"])
            sent.set_data_from_numpy(columns[tensor["name"]], binary_data=binary)
            inputs.append(sent)
        request = InferRequest(model_name=model, infer_inputs=inputs, request_id="43")
        response = await client.infer(url, request, model_name=model)
        assert response.id == "43" and response.model_name == model
        answer = next(o for o in response.outputs if o.name == "answer")
        assert answer.as_numpy().tolist() == expected, answer.as_numpy()
    print("kserve: JSON and binary answers equal those of tritonclient")


def main():
    url, model = sys.argv[1:]
    metadata, columns, answers = ask_triton(url, model)
    asyncio.run(ask_kserve(url, model, metadata, columns, answers))


if __name__ == "__main__":
    main()
