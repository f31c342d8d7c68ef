"""The appliance's OVF (appliance/vmirror.ovf) as a vCenter takes it: CreateImportSpec, ImportVApp, and the machine that comes of
it. Its schema is the simulator's reader's, govmomi."""

import os
import re
import unittest
import xml.etree.ElementTree as ElementTree

import test_client
from test_client import WHY

if not WHY:
    from client import vim

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
GIB = 1 << 30


def descriptor():
    """As appliance/make fills it in."""
    with open(os.path.join(ROOT, "appliance", "vmirror.ovf"), encoding="utf-8") as source:
        return source.read().replace("@VERSION@", "0.1.0").replace("@FILE_SIZE@", "12345").replace("@CAPACITY@", str(8 * GIB))


class Descriptor(unittest.TestCase):
    def test_each_reference_leads_somewhere(self):
        root = ElementTree.fromstring(descriptor())
        ids = {one.get(OVF + "id") for one in root.iter(OVF + "File")}
        disks = {one.get(OVF + "diskId"): one.get(OVF + "fileRef") for one in root.iter(OVF + "Disk")}
        networks = {one.get(OVF + "name") for one in root.iter(OVF + "Network")}
        self.assertEqual(set(disks.values()), ids)
        text = descriptor()
        self.assertEqual(re.findall(r"ovf:/disk/(\w+)", text), list(disks))
        self.assertEqual(set(re.findall(r"Connection>(\w+)<", text)), networks)
        self.assertNotIn("@", re.sub(r"agent@|\S+@\S+\.\S+", "", text))

    def test_the_properties_are_those_that_the_appliance_reads(self):
        root = ElementTree.fromstring(descriptor())
        keys = [".".join(filter(None, (section.get(OVF + "class"), one.get(OVF + "key"))))
                for section in root.iter(OVF + "ProductSection") for one in section.iter(OVF + "Property")]
        with open(os.path.join(ROOT, "appliance", "tree", "usr", "lib", "vmirror", "vmirror-appliance"), encoding="utf-8") as source:
            program = source.read()
        for key in (one.split(".")[1] for one in keys if one.startswith("vmirror.")):
            self.assertIn(f'"{key}"', program)
        # cloud-init's own, of its data source OVF.
        self.assertEqual([key for key in keys if not key.startswith("vmirror.")], ["instance-id", "hostname", "public-keys", "user-data"])
        self.assertEqual(len(keys), len(set(keys)))


@unittest.skipIf(WHY, WHY)
class Import(test_client.Served):
    OPTIONS = ("--plain",)

    def test_a_vcenter_makes_a_machine_of_it(self):
        client = self.client(user="admin")
        center = client.every(vim.Datacenter)[0]
        host, store = client.every(vim.HostSystem)[0], client.every(vim.Datastore)[0]
        pool = host.parent.resourcePool
        network = client.every(vim.Network)[0]
        made = client.content.ovfManager.CreateImportSpec(descriptor(), pool, store, vim.OvfManager.CreateImportSpecParams(
            entityName="vmirror", locale="US", deploymentOption="", diskProvisioning="thin",
            networkMapping=[vim.OvfManager.NetworkMapping(name=name, network=network) for name in ("Management", "Monitor")]))
        self.assertEqual(list(made.error), [])
        self.assertEqual([(one.path, one.size) for one in made.fileItem], [("vmirror-disk1.vmdk", 12345)])
        self.assertEqual(made.importSpec.configSpec.version, "vmx-14")
        lease = pool.ImportVApp(made.importSpec, center.vmFolder, host)
        machine = lease.info.entity
        lease.HttpNfcLeaseComplete()
        hardware = machine.config.hardware
        self.assertEqual((machine.name, hardware.numCPU, hardware.memoryMB, machine.config.guestId),
                         ("vmirror", 2, 2048, "debian12_64Guest"))
        devices = hardware.device
        self.assertEqual(len([one for one in devices if isinstance(one, vim.vm.device.VirtualVmxnet3)]), 2)
        self.assertEqual(len([one for one in devices if isinstance(one, vim.vm.device.ParaVirtualSCSIController)]), 1)
        self.assertEqual([one.capacityInKB for one in devices if isinstance(one, vim.vm.device.VirtualDisk)], [8 * GIB // 1024])


if __name__ == "__main__":
    unittest.main()
