"""What every service is given: its name, its state directory, its port and its passwords."""

import dataclasses
import json
import time
from pathlib import Path

from devcloud_services import sqlite

START_SECONDS = 240


@dataclasses.dataclass(frozen=True)
class Runtime:
    """`settings` is the content of the state's devcloud.json."""

    service: str
    state: Path
    settings: dict
    begun: float = dataclasses.field(default_factory=time.monotonic)

    NAMES = ("keystone", "placement", "glance", "neutron", "cinder", "nova")

    @classmethod
    def load(cls, service, state):
        return cls(service, state, json.loads((state / "devcloud.json").read_text()))

    @property
    def etc(self):
        return self.state / "etc"

    @property
    def configuration(self):
        return self.etc / f"{self.service}.conf"

    @property
    def port(self):
        return self.settings["port"] + self.NAMES.index(self.service)

    def url_of(self, service):
        return f"http://127.0.0.1:{self.settings['port'] + self.NAMES.index(service)}"

    def database(self, name):
        return self.state / "db" / f"{name}.db"

    def is_new(self):
        """Whether this service has still to make its databases."""
        return not self._made.exists()

    def create_databases(self, *names):
        """Begin anew: what is there is what a start that failed half-way has left."""
        for name in names:
            sqlite.create_database(self.database(name))

    def databases_are_made(self):
        """Say that they are complete; until then a start begins them anew."""
        self._made.touch()
        self.say("database made")

    def say(self, what):
        print(f"{self.service}: {what} after {time.monotonic() - self.begun:.1f} s", flush=True)

    def say_ready(self):
        self.say("ready")
        self._ready(self.service).touch()

    def wait_for(self, *services):
        """Return when the others listen. They start beside us, and one that dies ends us all."""
        deadline = time.monotonic() + START_SECONDS
        while not all(self._ready(service).exists() for service in services):
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {START_SECONDS} s for {', '.join(services)}")
            time.sleep(0.05)

    @property
    def _made(self):
        return self.state / "db" / f".{self.service}.made"

    def _ready(self, service):
        return self.state / "run" / f"{service}.ready"
