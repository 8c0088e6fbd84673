"""Fills the template in with the defaults of component.yaml, and reads it as systemd would."""

import configparser
import os
import re
import unittest

HERE = os.path.join(os.path.dirname(__file__), "..")
TEMPLATE = os.path.join(HERE, "deploy", "templates", "journald.conf.j2")

# journald.conf(5): each setting, and what its value looks like.
SETTINGS = {
    "Storage": r"auto|persistent|volatile|none",
    "SystemMaxUse": r"\d+[KMGTPE]?",
    "MaxRetentionSec": r"0|\d+(us|ms|s|min|h|day|week|month|year)?",
    "Compress": r"yes|no|\d+[KMGTPE]?",
}


def defaults():
    """The default of each parameter, as text."""
    with open(os.path.join(HERE, "component.yaml"), encoding="utf-8") as file:
        parameters = file.read().split("\nparameters:\n", 1)[1]
    found = {}
    for name, body in re.findall(r"^  (\w+):\n((?:    .*\n?)+)", parameters, re.MULTILINE):
        found[name] = re.search(r"^    default: (.*)$", body, re.MULTILINE).group(1).strip("\"'")
    return found


def rendered(values):
    with open(TEMPLATE, encoding="utf-8") as file:
        text = file.read()
    choice = r'\{\{ "(\w+)" if (\w+) else "(\w+)" \}\}'
    text = re.sub(choice, lambda found: found.group(1 if values[found.group(2)] == "true" else 3), text)
    return re.sub(r"\{\{ *([\w.]+) *\}\}", lambda found: values[found.group(1)], text)


class SettingsTest(unittest.TestCase):
    def setUp(self):
        parser = configparser.ConfigParser(interpolation=None, strict=True)
        parser.optionxform = str
        parser.read_string(rendered({**defaults(), "server.name": "web-01"}))
        self.journal = dict(parser["Journal"])

    def test_every_setting_is_one_journald_knows_with_a_value_it_takes(self):
        self.assertEqual(set(self.journal), set(SETTINGS))
        for setting, value in self.journal.items():
            self.assertRegex(value, f"^({SETTINGS[setting]})$", setting)

    def test_every_parameter_is_used_by_the_template(self):
        with open(TEMPLATE, encoding="utf-8") as file:
            text = file.read()
        for name in defaults():
            self.assertRegex(text, r"\{\{.*\b%s\b.*\}\}" % name)


if __name__ == "__main__":
    unittest.main()
