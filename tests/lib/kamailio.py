"""Kamailio as the front-end pool: registrar, proxy, static route, and a
presence server of the plain sort: PUBLISH in, NOTIFY with PIDF out.

Clients and the gateway come to one TLS port.  The gateway is known by its
certificate, never by its address; what has no such certificate must register
first.  A domain that is not the pool's goes to the gateway over mutual TLS:
the static route of a trusted application.
"""

import glob
import os

from .run import StartFailed

USER = "kamailio"
# Where Debian keeps the empty tables, and those that presence asks for.
TABLES = "/usr/share/kamailio/dbtext/kamailio"
TABLE_NAMES = ("version", "presentity", "active_watchers", "watchers", "xcap")

TLS = """\
[server:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = no
certificate = {certificate}
private_key = {key}
ca_list = {ca}

[client:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
certificate = {certificate}
private_key = {key}
ca_list = {ca}
"""

SCRIPT = """\
debug=2
log_stderror=yes
log_name="kamailio"
fork=yes
children=2
tcp_children={workers}
enable_tls=yes
disable_tcp=no
listen=tls:{address}:{port}
# For SIPp, which Debian builds without TLS.
listen=tcp:{address}:{plain}
# The pool's own name, as its Record-Route has it.  Not the SIP domain:
# with it as an alias loose_route() would take a contact for a strict route.
alias="{pool}:{port}"
tcp_accept_no_cl=yes
# The first message rides in headers of tens of kilobytes.
tcp_rd_buf_size=262144
# Bursts of long messages wait; by default the connection would be cut.
tcp_conn_wq_max=8388608
tcp_wq_max=33554432
tcp_connection_lifetime=3605
tcp_connect_timeout=5
dns=no
rev_dns=no
use_dns_cache=on
auto_aliases=no
pv_buffer_size=65536

mpath="{modules}"
loadmodule "tls.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "nathelper.so"
loadmodule "corex.so"
loadmodule "kex.so"
loadmodule "xlog.so"
loadmodule "jsonrpcs.so"
loadmodule "db_text.so"
loadmodule "presence.so"
loadmodule "presence_xml.so"

modparam("jsonrpcs", "transport", 0)
modparam("presence|presence_xml", "db_url", "text://{folder}/tables")
modparam("presence", "server_address", "sip:{address}:{port};transport=tls")
modparam("presence", "subs_db_mode", 0)
modparam("presence", "publ_cache", 2)
modparam("presence", "min_expires", {least})
modparam("presence", "max_expires", {most})
modparam("presence", "send_fast_notify", 1)
modparam("presence", "clean_period", 2)
modparam("presence", "db_update_period", 0)
# Everybody may watch, as a federated watcher of Lync's may.
modparam("presence_xml", "force_active", 1)
modparam("tls", "config", "{folder}/tls.cfg")
modparam("tls", "con_ct_wq_max", 8388608)
modparam("tls", "ct_wq_max", 33554432)
modparam("tm", "fr_timer", 32000)
modparam("tm", "fr_inv_timer", 120000)
modparam("tm", "auto_inv_100_reason", "Trying")
modparam("rr", "append_fromtag", 1)
modparam("usrloc", "db_mode", 0)
modparam("nathelper", "received_avp", "$avp(received)")
modparam("registrar", "received_avp", "$avp(received)")
modparam("registrar", "max_contacts", 8)
modparam("registrar", "default_expires", 3600)

# The gateway's name, which stands in its Contact, is in nobody's DNS here.
event_route[core:worker-one-init] {{
    jsonrpc_exec('{{"jsonrpc": "2.0", "method": "dns.add_a", "params": ["{gateway}", 86400, "{gateway_address}", 0], "id": 1}}');
}}

request_route {{
    if (!mf_process_maxfwd_header("70")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    # Who is it?  1: the gateway, by the name in its certificate.
    $var(gateway) = 0;
    if ($tls_peer_verified == 1) {{
        if ($tls_peer_subject_cn == "{gateway}") {{
            $var(gateway) = 1;
        }}
    }}
    xlog("L_NOTICE", "$rm $ru from $fu at $si:$sp gateway=$var(gateway)\\n");

    if (is_method("CANCEL")) {{
        if (t_check_trans()) {{
            t_relay();
        }}
        exit;
    }}
    # Subscriptions that this server itself holds.
    if (is_method("SUBSCRIBE") && has_totag() && $rd == "{address}") {{
        route(PRESENCE);
    }}
    if (has_totag()) {{
        if (!loose_route()) {{
            if (is_method("ACK")) {{
                if (t_check_trans()) {{
                    t_relay();
                }}
                exit;
            }}
            sl_send_reply("404", "Not Here");
            exit;
        }}
        route(TARGET);
        exit;
    }}
    t_check_trans();
    if (is_method("REGISTER")) {{
        fix_nated_register();
        save("location");
        exit;
    }}
    if (is_method("OPTIONS") && $rU == $null) {{
        sl_send_reply("200", "OK");
        exit;
    }}
    # Only the gateway may speak for users of other domains, and only
    # registered users for this one.
    if ($var(gateway) == 0) {{
        if ($fd != "{domain}") {{
            append_to_reply("ms-diagnostics: 1001;reason=\\"From URI not authorized\\";source=\\"{front_end}\\"\\r\\n");
            sl_send_reply("403", "Forbidden");
            exit;
        }}
        if (!registered("location", "$fu")) {{
            sl_send_reply("403", "Forbidden");
            exit;
        }}
    }}
    if (is_method("PUBLISH") || (is_method("SUBSCRIBE") && $rd == "{domain}")) {{
        if (is_method("SUBSCRIBE") && !($rU =~ "^({users})$")) {{
            append_to_reply("ms-diagnostics: 1003;reason=\\"User does not exist\\";source=\\"{front_end}\\"\\r\\n");
            sl_send_reply("404", "Not Found");
            exit;
        }}
        route(PRESENCE);
    }}
    if (is_method("INVITE|SUBSCRIBE")) {{
        # As a front end writes it: pool, front end, opaque state, signature.
        record_route_preset("{pool}:{port};transport=tls;ms-fe={front_end};opaque=state:F:Ci.R1a2b00;ms-route-sig=aaBbCc0123-_xyZ");
    }}
    route(TARGET);
}}

route[PRESENCE] {{
    if (!t_newtran()) {{
        sl_reply_error();
        exit;
    }}
    if (is_method("PUBLISH")) {{
        handle_publish();
    }} else {{
        handle_subscribe();
    }}
    exit;
}}

route[TARGET] {{
    if ($rd != "{domain}") {{
        if ($var(gateway) == 1) {{
            # To the gateway's own contact host comes only what loops.
            send_reply("482", "Loop Detected");
            exit;
        }}
        route(STATIC);
        exit;
    }}
    if (!lookup("location")) {{
        if ($rU =~ "^({users})$") {{
            append_to_reply("ms-diagnostics: 15102;reason=\\"The user is not registered\\";source=\\"{front_end}\\"\\r\\n");
            send_reply("480", "Temporarily Unavailable");
        }} else {{
            append_to_reply("ms-diagnostics: 1003;reason=\\"User does not exist\\";source=\\"{front_end}\\"\\r\\n");
            send_reply("404", "Not Found");
        }}
        exit;
    }}
    if (!t_relay()) {{
        sl_reply_error();
    }}
}}

# The static route: a domain that is not the pool's, or the gateway's own
# contact within a dialog.
route[STATIC] {{
    $du = "sip:{gateway_address}:{gateway_port};transport=tls";
    # A next hop that cannot be reached is told as a front end tells it.
    if (!t_relay()) {{
        append_to_reply("ms-diagnostics: 1007;reason=\\"Temporarily cannot route\\";source=\\"{front_end}\\"\\r\\n");
        send_reply("504", "Server time-out");
    }}
}}
"""


def modules_folder():
    found = glob.glob("/usr/lib/*/kamailio/modules")
    if not found:
        raise StartFailed("Kamailio's modules are not installed")
    return found[0]


class Kamailio:
    def __init__(self, run, authority, domain="contoso.example", host=40,
                 pool="pool.contoso.example", name="fe1.contoso.example",
                 gateway="gw1.contoso.example", users=("anna",)):
        self.run = run
        self.authority = authority
        self.domain = domain
        self.pool = pool
        self.name = name
        self.gateway = gateway
        self.users = users
        self.address = run.address(host)
        self.port = run.port(self.address, 25061)
        self.plain = run.port(self.address, 25060)
        # What it grants, in seconds: less or more is answered 423 or cut.
        self.least = 0
        self.workers = 2
        self.most = 43200
        self.process = None

    def start(self, gateway_address, gateway_port):
        run = self.run
        folder = run.folder("kamailio", USER)
        leaf = self.authority.leaf(self.name, self.name, self.pool)
        files = dict(
            certificate=run.copy(leaf.certificate, "kamailio/fe.pem", USER),
            key=run.copy(leaf.key, "kamailio/fe.key", USER),
            ca=run.copy(self.authority.certificate, "kamailio/ca.pem", USER))
        run.folder("kamailio/tables", USER)
        for table in TABLE_NAMES:
            run.copy(os.path.join(TABLES, table), f"kamailio/tables/{table}",
                     USER)
        run.write("kamailio/tls.cfg", TLS.format(**files), USER)
        script = run.write("kamailio/kamailio.cfg", SCRIPT.format(
            folder=folder, address=self.address, port=self.port,
            plain=self.plain, least=self.least, most=self.most,
            workers=self.workers,
            pool=self.pool, domain=self.domain, front_end=self.name,
            modules=modules_folder(), gateway=self.gateway,
            users="|".join(self.users), gateway_address=gateway_address,
            gateway_port=gateway_port), USER)
        self.process = run.process(
            "kamailio", ["/usr/sbin/kamailio", "-DD", "-E", "-f", script,
                         "-m", "512", "-M", "16", "-Y", folder, "-w", folder],
            user=USER)
        return self.restart()

    def restart(self):
        self.process.start()
        self.process.await_port(self.address, self.port)
        return self

    @property
    def log(self):
        return self.process.log
