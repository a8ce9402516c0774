"""The statements of a hostile tenant, a file for each kind."""

from tests.tenancy.probes.creates import CREATES
from tests.tenancy.probes.leaks import LEAKS
from tests.tenancy.probes.reads import READS
from tests.tenancy.probes.roles import ROLES
from tests.tenancy.probes.server import SERVER
from tests.tenancy.probes.timescale import TIMESCALE
from tests.tenancy.probes.writes import WRITES

PROBES = [*READS, *LEAKS, *TIMESCALE, *WRITES, *ROLES, *CREATES, *SERVER]
