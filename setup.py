"""What pyproject.toml cannot say yet without a warning: the optional C extensions."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension("services.live_stream._encode", ["services/live_stream/_encode.c"], optional=True),
        Extension(
            "stoculus.kafka._consume",
            ["stoculus/kafka/_consume.c"],
            depends=["stoculus/kafka/_librdkafka.h"],
            optional=True,
        ),
        Extension(
            "stoculus.kafka._enqueue",
            ["stoculus/kafka/_enqueue.c"],
            depends=["stoculus/kafka/_librdkafka.h"],
            optional=True,
        ),
        Extension("theta_client.stream._cut", ["theta_client/stream/_cut.c"], optional=True),
    ]
)
