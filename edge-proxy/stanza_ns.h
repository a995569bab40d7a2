/* stanza_ns - namespaces that stanzas are read and written with. */
#ifndef EDGE_STANZA_NS_H
#define EDGE_STANZA_NS_H

#define NS_STANZA_SERVER "jabber:server"
#define NS_STANZA_ERRORS "urn:ietf:params:xml:ns:xmpp-stanzas"

#define NS_XHTML_IM      "http://jabber.org/protocol/xhtml-im" /* XEP-0071 */
#define NS_XHTML         "http://www.w3.org/1999/xhtml"
#define NS_CHAT_STATES   "http://jabber.org/protocol/chatstates" /* 0085 */
#define NS_RECEIPTS      "urn:xmpp:receipts"                     /* 0184 */
#define NS_MARKERS       "urn:xmpp:chat-markers:0"               /* 0333 */
#define NS_CORRECT       "urn:xmpp:message-correct:0"            /* 0308 */
#define NS_RETRACT       "urn:xmpp:message-retract:1"            /* 0424 */
#define NS_REPLY         "urn:xmpp:reply:0"                      /* 0461 */
#define NS_FALLBACK      "urn:xmpp:fallback:0"                   /* 0428 */
#define NS_FALLBACK_OLD  "urn:xmpp:feature-fallback:0"           /* before */
#define NS_RETRACT_OLD   "urn:xmpp:message-retract:0"
#define NS_FASTEN        "urn:xmpp:fasten:0"                    /* 0422 */
#define NS_CARBONS       "urn:xmpp:carbons:2"                   /* 0280 */
#define NS_STANZA_IDS    "urn:xmpp:sid:0"                       /* 0359 */
#define NS_REFERENCE     "urn:xmpp:reference:0"                 /* 0372 */
#define NS_SIMS          "urn:xmpp:sims:1"                      /* 0385 */
#define NS_JINGLE_FILE   "urn:xmpp:jingle:apps:file-transfer:5" /* 0234 */
#define NS_REACTIONS     "urn:xmpp:reactions:0"                 /* 0444 */
#define NS_OOB           "jabber:x:oob"                         /* 0066 */
#define NS_SFS           "urn:xmpp:sfs:0"                       /* 0447 */
#define NS_FILE_METADATA "urn:xmpp:file:metadata:0"             /* 0446 */
#define NS_URL_DATA      "http://jabber.org/protocol/url-data"  /* 0103 */
#define NS_CONFERENCE    "jabber:x:conference"                  /* 0249 */
#define NS_MUC_USER      "http://jabber.org/protocol/muc#user"  /* 0045 */
#define NS_ATTENTION     "urn:xmpp:attention:0"                 /* 0224 */
#define NS_HINTS         "urn:xmpp:hints"                       /* 0334 */
#define NS_STYLING       "urn:xmpp:styling:0"                   /* 0393 */
#define NS_DELAY         "urn:xmpp:delay"                       /* 0203 */
#define NS_NICK          "http://jabber.org/protocol/nick"      /* 0172 */
#define NS_EME           "urn:xmpp:eme:0"                       /* 0380 */
#define NS_OMEMO_OLD     "eu.siacs.conversations.axolotl"       /* 0384 */
#define NS_OMEMO_PREFIX  "urn:xmpp:omemo:"
#define NS_PGP           "jabber:x:encrypted" /* 0027 */
#define NS_OPENPGP       "urn:xmpp:openpgp:0" /* 0373 */

#define NS_CAPS         "http://jabber.org/protocol/caps" /* 0115 */
#define NS_VCARD_UPDATE "vcard-temp:x:update"             /* 0153 */
#define NS_IDLE         "urn:xmpp:idle:1"                 /* 0319 */

#define NS_PING        "urn:xmpp:ping"                         /* 0199 */
#define NS_DISCO_INFO  "http://jabber.org/protocol/disco#info" /* 0030 */
#define NS_DISCO_ITEMS "http://jabber.org/protocol/disco#items"
#define NS_VERSION     "jabber:iq:version" /* 0092 */
#define NS_TIME        "urn:xmpp:time"     /* 0202 */
#define NS_VCARD       "vcard-temp"        /* 0054 */

#endif
