"""What Theano's setup.py asks of configparser, which Python 3.12 dropped; for its build alone."""

import configparser

configparser.SafeConfigParser = configparser.ConfigParser
configparser.ConfigParser.readfp = configparser.ConfigParser.read_file
