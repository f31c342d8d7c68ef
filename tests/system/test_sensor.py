"""A sensor VM that follows the guest that it watches (policy `sensor: follow`): two hosts, two real guests.
Only the source is migrated by hand here; the sensor is migrated by the agent of the host that it is on.
"""

import time

import cluster as c
import system
import world as w

SETTLE, SPACING = 2, 15
FOLLOW = "policy: sources\nselect: [{vm: source}]\ntargets: [local]\nsensor: %s\n"


def settings_of(host):
    """With the sensor, and where the other hosts' libvirt is."""
    settings = host.cluster.settings(host)
    settings["libvirt"].update(sensor="sensor1", sensor_settle=SETTLE, sensor_spacing=SPACING)
    for other in settings["peers"]["hosts"]:
        other["libvirt"] = f"qemu+tcp://{other['address']}/system"
    return settings


class Sensor(c.ClusterTest):
    """The policy `watch` has no say in it; `sources` does."""

    settings_of = staticmethod(settings_of)

    def setUp(self):
        self.source, self.sensor = c.Guest("source", 1), c.Guest("sensor1", 2)
        for guest in (self.sensor, self.source):
            self.addCleanup(self.cluster.end_guest, guest)
        self.a.define_and_start(self.sensor)
        self.cluster.start_guest(self.source, self.a)

    def policy_says(self, sensor):
        for host in (self.a, self.b):
            host.daemon.write_policy("sources", FOLLOW % sensor)

    def says(self, host, decision, sources=None):
        """Waits until the host's agent has that decision, which begins so, and counts these sources."""
        seen = {}

        def right():
            seen.update(host.daemon.ask("status")["sensor"])
            return seen["decision"].startswith(decision) and sources in (None, seen["sources"])
        try:
            w.wait_for(str(decision), right, SPACING + 15)
        except w.Failed:
            self.fail(f"{host.name} says {seen}, not {decision!r} with {sources}")
        print(f"{host.name}: {seen}", flush=True)
        return seen

    def last_time_not_on(self, host):
        """Waits until the sensor runs there, and there only; returns when it was last seen not to."""
        last = time.monotonic()

        def there():
            nonlocal last
            now = time.monotonic()
            if host.state(self.sensor) == "running" and self.cluster.where(self.sensor) is host and \
                    sum(bool(h.state(self.sensor)) for h in (self.a, self.b)) == 1:
                return True
            last = now
            return False
        self.eventually(f"the sensor on {host.name}", there, SPACING + 20)
        return last

    def test_it_goes_after_its_source_and_plays_no_ping_pong(self):
        self.stays_where_the_policy_says_stay()
        came = self.goes_after_its_source()
        self.stays_when_the_source_goes_back_at_once()
        self.last_time_not_on(self.a)
        self.assertGreaterEqual(time.monotonic() - came, SPACING)
        for host in (self.a, self.b):
            self.eventually(f"two moves, known to {host.name}", lambda at=host:
                            at.daemon.ask("status")["sensor"]["moves_in_an_hour"] == 2)
        self.says(self.a, "stays: 1 of 1 sources are here", {"hosta": 1, "hostb": 0})

    def stays_where_the_policy_says_stay(self):
        self.policy_says("stay")
        self.cluster.migrate(self.source, self.a, self.b)
        self.eventually("the source alone on b", lambda: self.one_at_home(self.source))
        said = self.says(self.a, "stays: no policy says `sensor: follow`", {"hosta": 0, "hostb": 0})
        self.assertEqual(said["moves_in_an_hour"], 0)
        self.assertIs(self.cluster.where(self.sensor), self.a)

    def goes_after_its_source(self):
        """Not before it knows where it is: the agent there is down at first."""
        self.b.daemon.kill()
        self.policy_says("follow")
        self.says(self.a, "stays: no policy has a guest for it to follow", {"hosta": 0, "hostb": None})
        self.b.daemon.start()
        came = self.last_time_not_on(self.b)
        for host in (self.a, self.b):  # Also the agent that did not do it knows of it.
            self.eventually(f"one move, known to {host.name}", lambda at=host:
                            at.daemon.ask("status")["sensor"]["moves_in_an_hour"] == 1)
        self.assertIsNone(self.says(self.a, "stays: the sensor does not run on this host")["error"])
        self.says(self.b, "stays: 1 of 1 sources are here, nowhere more", {"hosta": 0, "hostb": 1})
        return came

    def stays_when_the_source_goes_back_at_once(self):
        self.cluster.migrate(self.source, self.b, self.a)
        self.says(self.b, "stays: hosta has had its sources for ", {"hosta": 1, "hostb": 0})
        self.says(self.b, ("stays: the sensor has been here for ", "stays: the sensor moved "),
                  {"hosta": 1, "hostb": 0})
        self.assertIs(self.cluster.where(self.sensor), self.b)


if __name__ == "__main__":
    system.main(__file__, c.unavailable)
