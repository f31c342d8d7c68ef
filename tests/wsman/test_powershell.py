"""What PowerShell itself sends, against vmirror-wsman: the body that its Invoke-WSManAction makes of a hash table.

Not reached: CIM-XML of an instance, as PowerShell's CimInstance can't be made on Linux (its package has no libmi).
"""

import importlib.util
import json
import os
import subprocess
import unittest
from xml.sax.saxutils import escape

import wsman
from served import SECURITY, VMS, Served

HERE = os.path.dirname(os.path.abspath(__file__))
SPEC = importlib.util.spec_from_file_location("tools", os.path.join(HERE, "..", "hyperv", "tools.py"))
tools = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tools)


@unittest.skipIf(tools.unavailable(), tools.unavailable())
class InvokeWSManAction(Served):
    def body(self, uri, method, values):
        """What PowerShell makes of the values; it does not escape them."""
        environment = {**os.environ, "POWERSHELL_TELEMETRY_OPTOUT": "1", "POWERSHELL_UPDATECHECK": "Off", "NO_COLOR": "1"}
        done = subprocess.run([tools.PWSH, "-NoProfile", "-NonInteractive", "-File", os.path.join(HERE, "powershell_input.ps1"),
                               "-Uri", uri, "-Root", method + "_INPUT", "-Values", json.dumps(values)],
                              env=environment, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_a_setting_is_modified_by_its_body(self):
        client, port = self.client(), self.port("vm1", "Network Adapter")
        self.add(client, VMS, port, SECURITY, MonitorMode=1)
        instance = wsman.cim.write_cimxml(wsman.cim.make(wsman.schema.V2, SECURITY, InstanceID=self.feature(client, port),
                                                         MonitorMode=2))
        uri = f"{client.R}/{VMS}"
        body = self.body(uri, "ModifyFeatureSettings", {"FeatureSettings": escape(instance)})
        ours = f'<p:ModifyFeatureSettings_INPUT xmlns:p="{uri}"><p:FeatureSettings>{escape(instance)}</p:FeatureSettings>'
        self.assertEqual(body, ours + "</p:ModifyFeatureSettings_INPUT>")
        root = client.call(f"{uri}/ModifyFeatureSettings", uri, body, selectors={"CreationClassName": VMS})
        job = root.find(".//w:Selector[@Name='InstanceID']", wsman.NAMES).text
        self.assertEqual(client.finish(job)["JobState"], "7")
        self.assertEqual([one["features"][SECURITY]["MonitorMode"] for one in self.ports() if one["features"]], [2])


if __name__ == "__main__":
    unittest.main(verbosity=2)
