/*
 * gateway_settings - settings put in force: the gateway's own configuration,
 * the edges, open chats and watchers follow each commit.
 *
 * What the edges have confirmed of it is part of the answer; whoever made the
 * commit waits for that long (gateway_confirm.h).
 */
#ifndef GATEWAY_GATEWAY_SETTINGS_H
#define GATEWAY_GATEWAY_SETTINGS_H

struct gateway;
struct settings;

enum { GATEWAY_SETTINGS_CONFIRM_MS = 1000 };

struct settings *gateway_settings(struct gateway *g);

#endif
