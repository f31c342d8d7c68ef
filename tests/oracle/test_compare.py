"""The comparison itself: what counts as a difference, and what explains one."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import compare  # noqa: E402
import explained  # noqa: E402
import table  # noqa: E402
import tshark  # noqa: E402
from normal import named, words_of  # noqa: E402
from row import Field, Row, our_record  # noqa: E402

ROW = Row("pump", "pump", "pump", (
    Field("pump.id", "id"), Field("pump.state", "state", theirs=named({1: "runs"})),
    Field("pump.valve", "valves.name", str, many=True)),
    unless=(("pump.id", lambda value: value == 9),))


def frame(number, *elements, malformed=False, cut=False):
    return tshark.Frame(number, number * 1000, malformed, cut, tuple((*one, "") for one in elements))


def pump(number, *values, **flags):
    names = ("pump.id", "pump.state", "pump.valve", "pump.valve")
    return frame(number, ("pump", ""), *zip(names, values), **flags)


def ours(number, **record):
    return number * 1000, record


def compared(frames, records, anomalies=None):
    return compare.compare_capture([ROW], frames, {"pump": records}, {"pump": anomalies or {}}).get("pump")


class Compare(unittest.TestCase):
    def test_equal_records_agree(self):
        result = compared([pump(1, "0x0007", "1", "a", "b")],
                          [ours(1, id=7, state="runs", valves=[{"name": "a"}, {"name": "b"}])])
        self.assertEqual((result.compared, result.agreeing, result.differences), (1, 1, []))

    def test_a_difference_names_its_field(self):
        result = compared([pump(1, "7", "1")], [ours(1, id=7, state="stands")])
        self.assertEqual([d.kind for d in result.differences], ["state"])
        self.assertEqual((result.compared, result.agreeing), (1, 0))

    def test_records_of_one_side(self):
        result = compared([pump(1, "7"), pump(2, "8")], [ours(1, id=7), ours(3, id=6)])
        self.assertEqual([(d.kind, d.frame) for d in result.differences], [("only tshark", 2), ("only vmirror", 0)])

    def test_the_same_record_in_another_frame_agrees_and_is_counted(self):
        result = compared([pump(1, "7")], [ours(2, id=7)])
        self.assertEqual((result.agreeing, result.moved), (1, 1))

    def test_one_record_does_not_agree_with_two(self):
        result = compared([pump(1, "7")], [ours(1, id=7), ours(1, id=7)])
        self.assertEqual([d.kind for d in result.differences], ["only vmirror"])

    def test_malformed_needs_an_anomaly_of_ours(self):
        result = compared([pump(1, "7", malformed=True)], [], {1000: 1})
        self.assertEqual((result.agreeing, result.malformed), (1, 1))
        result = compared([pump(1, "7", malformed=True)], [])
        self.assertEqual([d.kind for d in result.differences], ["only tshark"])
        result = compared([pump(1, "7")], [], {1000: 1})
        self.assertEqual([d.kind for d in result.differences], ["only tshark"])

    def test_a_cut_message_agrees_with_silence_alone(self):
        self.assertEqual(compared([pump(1, "7", cut=True)], []).cut, 1)
        self.assertEqual([d.kind for d in compared([pump(1, "7", cut=True)], [ours(1, id=8)]).differences], ["id"])

    def test_several_records_of_a_frame_and_those_that_do_not_count(self):
        both = frame(1, ("pump", ""), ("pump.id", "7"), ("pump", ""), ("pump.id", "8"), ("pump", ""), ("pump.id", "9"))
        self.assertEqual(compared([both], [ours(1, id=7), ours(1, id=8)]).agreeing, 2)

    def test_nothing_on_both_sides_is_no_result(self):
        self.assertIsNone(compared([frame(1, ("eth", ""))], []))


class Tshark(unittest.TestCase):
    def test_what_an_icmp_error_quotes_was_not_sent(self):
        elements = [("icmp", "", ""), ("icmp.type", "3", ""), ("icmp.code", "1", ""), ("dns", "", ""), ("dns.id", "7", "")]
        self.assertEqual([name for name, _, _ in tshark.sent(elements)], ["icmp", "icmp.type", "icmp.code"])
        nested = [*elements, ("icmp", "", ""), ("icmp.type", "8", "")]
        self.assertEqual([name for name, _, _ in tshark.sent(nested)], ["icmp", "icmp.type", "icmp.code"])
        elements[1] = ("icmp.type", "8", "")
        self.assertEqual(len(tshark.sent(elements)), 5)

    def test_a_tree_is_flattened_in_order(self):
        tree = [{"l": "Frame 3", "t": "proto", "f": "frame", "n": [{"f": "frame.time_epoch == 5.000001999"}]},
                {"l": "Modbus", "t": "proto", "f": "modbus", "n": [
                    {"l": ".000 0011 = Function Code: Read Coils (1)", "f": "modbus.func_code == 1"},
                    {"l": "Text: a", "f": 'modbus.text == "a\\"\\x41"'}]}]
        got = tshark.frame_of(3, tree)
        self.assertEqual((got.number, got.time_us, got.malformed), (3, 5_000_001, False))
        self.assertEqual([(name, value) for name, value, _ in got.elements if name.startswith("modbus")],
                         [("modbus", ""), ("modbus.func_code", "1"), ("modbus.text", 'a"A')])
        self.assertEqual(words_of(".000 0011 = Function Code: Read Coils (1)"), "Read Coils")


class Explained(unittest.TestCase):
    def judged(self, text, differences):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "explained.toml"
            path.write_text(text)
            known = explained.read(path)
        result = compare.Result(differences=[compare.Difference(kind, 1, None, None) for kind in differences])
        return explained.judge(known, {"a.pcap": {"pump": result}}, {"a.pcap"})

    TEXT = '[[explained]]\nprotocol = "pump"\nkind = "state"\ncaptures = { "a.pcap" = 2 }\nreason = "it is so"\n'

    def test_as_many_as_explained(self):
        done, complaints = self.judged(self.TEXT, ["state", "state"])
        self.assertEqual((done[("pump", "a.pcap")], complaints), (2, []))

    def test_more_fewer_none_or_others_are_complaints(self):
        for differences in (["state"], ["state"] * 3, [], ["state", "state", "id"]):
            with self.subTest(differences):
                self.assertEqual(len(self.judged(self.TEXT, differences)[1]), 1)


class Table(unittest.TestCase):
    def test_rows_have_names_of_their_own_and_say_why(self):
        names = [row.name for row in table.ROWS]
        self.assertEqual(len(names), len(set(names)))
        for row in table.ROWS:
            self.assertTrue(row.why or not (row.only or row.unless), row.name)

    def test_a_record_without_any_of_the_fields_has_none(self):
        for row in table.ROWS:
            if row.name not in ("mqtt", "krb5", "ntlm"):  # Their records say by a key what they are.
                self.assertEqual([value for value in our_record(row, {}) if value not in (None, 0, ())], [], row.name)


if __name__ == "__main__":
    unittest.main()
