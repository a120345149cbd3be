"""Names of configparser that Theano's setup.py needs and Python 3.12 dropped; for its build only."""

import configparser

configparser.SafeConfigParser = configparser.ConfigParser
configparser.ConfigParser.readfp = configparser.ConfigParser.read_file
