"""What scenario tests, the demo and the benchmark stand on.

A Run owns addresses, a state folder and processes; a Site puts a whole
federation into one: DNS, certificates, a real XMPP server, a SIP pool, the
people on both sides and our two daemons between them.
"""
