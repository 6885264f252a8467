/* net/aws_refresher.h - keeps the credentials of a process fresh, in a thread of its own.
 *
 * They are looked for anew, in all their places, before they expire and when AWS refuses them.
 * While that goes on, and when it fails, the ones before stay in use.
 */
#ifndef SLUICE_NET_AWS_REFRESHER_H
#define SLUICE_NET_AWS_REFRESHER_H

#include "net/aws_target.h"

struct sl_aws_refresher {
    struct sl_aws_identity identity;
    const struct sl_config *cfg;
    sl_str region;
    struct sl_stop stop;
    pthread_t thread;
    bool is_running;
    bool is_open;
};

/* Find the identity, start to keep it fresh, and let `target` use it.
 *
 * Shape:   target has its region
 * Owns:    `cfg` and the region are borrowed; end with sl_aws_refresher_close, after all who use the identity
 * Errors:  those of sl_aws_creds_find; then there is nothing to close
 * Blocks:  as sl_aws_creds_find
 */
sl_rc sl_aws_refresher_open(struct sl_aws_refresher *r, const struct sl_config *cfg,
                            struct sl_aws_target *target, struct sl_err *e) SL_MUST_CHECK;

/* Until when the credentials in use are good.  Takes one that is not open, too.
 *
 * Units:   wall clock
 * Returns: 0 where they never expire, or there are none
 * Threads: any, while it is not being opened or closed
 */
int64_t sl_aws_refresher_expires_at_ms(struct sl_aws_refresher *r);

/* Refresh no more; what there is stays.  Takes one that is not open, too.
 * Blocks: until a refresh that is under way has been given up, at once but for a look-up of a name */
void sl_aws_refresher_stop(struct sl_aws_refresher *r);

/* Stop, and end the identity.  Takes a zeroed one, too. */
void sl_aws_refresher_close(struct sl_aws_refresher *r);

/* When credentials that were found at `at_ms` are to be looked for again: 15 minutes before they
 * expire, or when half of what is left of them is over.
 *
 * Units:   wall clock
 * Returns: INT64_MAX for those that never expire (0)
 */
int64_t sl_aws_refresh_due(int64_t expires_at_ms, int64_t at_ms);

#endif
