"""An object store for tests: a local S3 server, reached by the environment as a user would."""

from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from curation import storage


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The URI of an empty bucket named `films`."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        films = boto3.resource("s3").Bucket("films")
        films.create()
        yield "s3://films"
        films.objects.delete()
        films.delete()
    storage._remote_store.cache_clear()
    server.stop()
