"""What the tests of vmirror-wsman share: a server for each class of tests, as it was at the start of each test."""

import unittest

import wsman

VMS, SWITCHES = "Msvm_VirtualSystemManagementService", "Msvm_VirtualEthernetSwitchManagementService"
SECURITY, VLAN = "Msvm_EthernetSwitchPortSecuritySettingData", "Msvm_EthernetSwitchPortVlanSettingData"
CONNECTION = "Msvm_EthernetPortAllocationSettingData"
FILTERING = "E7C3B2F0-F3C5-48DF-AF2B-10FED6D72E7A"
ADD = "AddFeatureSettings"


def double(text):
    """A text as WQL and object paths have it."""
    return text.replace("\\", "\\\\")


@unittest.skipIf(wsman.missing(), wsman.missing())
class Served(unittest.TestCase):
    OPTIONS = ()
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = wsman.Wsman("--job-ms", "30", *cls.OPTIONS)
        cls.addClassCleanup(cls.server.__exit__)

    def setUp(self):
        self.server.control("/rules", method="DELETE")
        for host in self.server.state()["hosts"]:
            self.server.order("settle", host=host["name"])
        state = self.server.state()
        for vm in state["vms"]:
            for adapter in vm["adapters"]:
                for cls in adapter["port"]["features"]:
                    self.server.order("feature", vm=vm["name"], adapter=adapter["name"], **{"class": cls})
        for host in state["hosts"]:
            for switch in host["switches"]:
                for name, port in switch["ports"].items():
                    for cls in port["features"]:
                        self.server.order("feature", host=host["name"], switch=switch["name"], port=name, **{"class": cls})
        self.server.control("/log", method="DELETE")

    def client(self, **more):
        return wsman.Client(self.server, **more)

    def ports(self):
        state = self.server.state()
        return [one["port"] for vm in state["vms"] for one in vm["adapters"]] + [
            one for host in state["hosts"] for switch in host["switches"] for one in switch["ports"].values()]

    def port(self, owner, adapter=None):
        """The InstanceID of the connection of a VM's adapter, or of a switch's external port."""
        state = self.server.state()
        if adapter:
            vm = next(one for one in state["vms"] if one["name"] == owner)
            return next(one["port"]["id"] for one in vm["adapters"] if one["name"] == adapter)
        return next(one["ports"]["external"]["id"] for one in state["hosts"][0]["switches"] if one["name"] == owner)

    def checkpoint_port(self):
        client = self.client()
        saved = client.query("SELECT * FROM Msvm_VirtualSystemSettingData WHERE VirtualSystemType LIKE '%Snapshot%'")[0]
        return next(one["InstanceID"] for one in client.query(f"SELECT * FROM {CONNECTION}")
                    if one["InstanceID"].startswith(saved["InstanceID"]))

    @staticmethod
    def added(port, cls, **values):
        """The body of AddFeatureSettings."""
        return (wsman.reference(CONNECTION, port, "AffectedConfiguration")
                + "<p:FeatureSettings>" + wsman.embedded(cls, **values) + "</p:FeatureSettings>")

    def add(self, client, service, port, cls, **values):
        return client.change(service, ADD, self.added(port, cls, **values))

    @staticmethod
    def feature(client, port, cls=SECURITY):
        """The InstanceID of the port's feature."""
        found = client.query(f'ASSOCIATORS OF {{{CONNECTION}.InstanceID="{double(port)}"}} '
                             f"WHERE AssocClass = Msvm_EthernetPortSettingDataComponent ResultClass = {cls}")
        return found[0]["InstanceID"]
