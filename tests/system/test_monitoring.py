"""What is shipped for Prometheus and Grafana, against a real Prometheus that scrapes a real daemon: every alert and every
query of the dashboard is understood, names only metrics that there are, and finds those that the daemon has now."""

import json
import os
import re
import subprocess
import urllib.parse

import system
import world as w

SHIPPED = os.path.join(os.path.dirname(w.HERE), "..", "packaging")
RULES = os.path.join(SHIPPED, "prometheus", "vmirror.rules.yml")
DASHBOARD = os.path.join(SHIPPED, "grafana", "vmirror.json")
METRICS, PROMETHEUS = 9477, 9090
NAME = re.compile(r"\bvmirror_\w+")


def dashboard_queries():
    with open(DASHBOARD, encoding="utf-8") as file:
        dashboard = json.load(file)
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$instance", ".+").replace("$__rate_interval", "1m")
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], annotation["expr"].replace("$instance", ".+")


class Monitoring(system.SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = system.host_daemon(cls.world, export={"prometheus": {"port": METRICS}}).start()
        cls.host.write_policy("watch", "policy: watch\nselect: [{vm: '*'}]\ntargets: [local]\n")
        config = os.path.join(cls.world.directory, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [RULES],
                       "scrape_configs": [{"job_name": "vmirror",
                                           "static_configs": [{"targets": [f"127.0.0.1:{METRICS}"]}]}]}, file)
        cls.world.spawn("prometheus", "prometheus", f"--config.file={config}",
                        f"--storage.tsdb.path={cls.world.directory}/prometheus",
                        f"--web.listen-address=127.0.0.1:{PROMETHEUS}")

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()
        super().tearDownClass()

    def ask(self, path, **parameters):
        url = f"http://127.0.0.1:{PROMETHEUS}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        return json.loads(self.world.run("curl", "--silent", "--show-error", url))

    def told(self):
        """The names of the metrics that the daemon tells now."""
        return set(NAME.findall(re.sub("(?m)^#.*", "", self.world.run(
            "curl", "--silent", "--fail", f"http://127.0.0.1:{METRICS}/metrics"))))

    def documented(self):
        with open(os.path.join(SHIPPED, "..", "docs", "OPERATING.md"), encoding="utf-8") as file:
            rows = [line for line in file if line.startswith("| `vmirror_")]
        return set(NAME.findall(" ".join(row.split("|")[1] for row in rows)))

    def test_the_rules_of_alerts(self):
        for command in (["check", "rules", "vmirror.rules.yml"], ["test", "rules", "vmirror.rules.test.yml"]):
            done = subprocess.run(["promtool", *command], cwd=os.path.dirname(RULES), capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_prometheus_takes_the_rules_and_a_healthy_host_raises_none(self):
        self.world.talk_until("coverage of all guests", lambda: self.ask(
            "query", query="count(vmirror_coverage_ratio)")["data"]["result"])
        def rules():
            return [rule for group in self.ask("rules")["data"]["groups"] for rule in group["rules"]]
        self.eventually("all rules evaluated", lambda: {rule["health"] for rule in rules()} == {"ok"})
        for rule in rules():
            self.assertLessEqual(set(NAME.findall(rule["query"])), self.documented(), rule["name"])
        self.assertEqual([a["labels"]["alertname"] for a in self.ask("alerts")["data"]["alerts"]
                          if a["state"] == "firing"], [])

    def test_the_dashboards_queries_find_what_the_daemon_tells(self):
        self.world.talk_until("coverage of all guests", lambda: self.ask(
            "query", query="count(vmirror_coverage_ratio)")["data"]["result"])
        self.eventually("rates", lambda: self.ask(
            "query", query="rate(vmirror_frames_analysed_total[1m])")["data"]["result"])
        told, documented, found = self.told(), self.documented(), 0
        for title, query in dashboard_queries():
            with self.subTest(title):
                names = set(NAME.findall(query))
                self.assertLessEqual(names, documented)
                answer = self.ask("query", query=query)
                self.assertEqual(answer["status"], "success", answer)
                if names <= told and " > 0" not in query:
                    self.assertTrue(answer["data"]["result"], query)
                    found += 1
        self.assertGreaterEqual(found, 10)


if __name__ == "__main__":
    system.main(__file__, lambda: system.lacking("prometheus", "promtool", "curl"))
