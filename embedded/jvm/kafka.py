"""Apache Kafka, one node in KRaft mode, on the loopback."""

from __future__ import annotations

import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from embedded.jvm import process

POM = Path(__file__).with_name("pom-kafka.xml")
JAVA = 17
LARGEST_MESSAGE = 8 * 1024 * 1024

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
auto.create.topics.enable=false
message.max.bytes={largest}
"""


@dataclass(frozen=True)
class Service:
    """A running broker: bootstrap is its host:port, directory holds its data and its log."""

    bootstrap: str
    directory: Path
    process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        """The broker's process."""
        return self.process.pid


def missing() -> str | None:
    """Return why Kafka cannot run here, or None."""
    return process.missing(POM, JAVA)


def start(directory: Path) -> Service:
    """Start a broker with its data in `directory`, on the port it had there before, if any.

    So after stop or kill, start(service.directory) is a restart. Raises ServiceError.
    """
    classes = f"{process.fetch(POM)}/*"
    program = [str(process.java(JAVA)), "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", classes]
    program.append("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
    directory.mkdir(parents=True, exist_ok=True)
    properties, address = directory / "server.properties", directory / "bootstrap"
    if not address.exists():
        _format(program, directory, properties)
    bootstrap = address.read_text()
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def ready() -> bool:
        try:
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    command = [*program, "kafka.Kafka", str(properties)]
    return Service(bootstrap, directory, process.launch(command, directory, ready))


def _format(program: list[str], directory: Path, properties: Path) -> None:
    port, data = process.free_port(), directory / "data"
    properties.write_text(
        PROPERTIES.format(
            host=process.HOST,
            port=port,
            controller=process.free_port(),
            data=data,
            largest=LARGEST_MESSAGE,
        )
    )
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # with =, because an id may begin with a dash
    tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties)]
    done = subprocess.run([*program, *tool], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise process.ServiceError(f"Kafka cannot use {data}: {done.stderr[-2000:]}")
    (directory / "bootstrap").write_text(f"{process.HOST}:{port}")


def stop(service: Service) -> None:
    """Stop the broker cleanly; its data stays."""
    process.end(service.process)


def kill(service: Service) -> None:
    """End the broker as a power cut does; its data stays."""
    process.end(service.process, signal.SIGKILL)
