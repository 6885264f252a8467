/* net/aws_sigv4.h - AWS Signature Version 4, a pure function of request, identity and time. */
#ifndef SLUICE_NET_AWS_SIGV4_H
#define SLUICE_NET_AWS_SIGV4_H

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/hmac.h"
#include "net/aws_creds.h"

struct sl_sigv4_header {
    sl_str name;  /* lower case */
    sl_str value; /* trimmed */
};

struct sl_sigv4_request {
    sl_str method;                         /* "POST" */
    sl_str path;                           /* "/", already encoded */
    sl_str query;                          /* "", or canonical: sorted and encoded */
    const struct sl_sigv4_header *headers; /* sorted by name; host is one of them */
    unsigned headers_n;
    sl_str body;
};

/* What is kept between the signatures of one identity, region and service; zeroed at first. */
struct sl_sigv4_key {
    char date[9];        /* YYYYMMDD; "" when nothing has been derived */
    struct sl_hmac *mac; /* under the key of that day */
    struct sl_hash sha256;
};

/* Wipe and free; as at first. */
void sl_sigv4_key_done(struct sl_sigv4_key *key);

/* Append the value of the Authorization header.
 *
 * Shape:   x-amz-date is one of the headers, as sl_sigv4_date writes it; x-amz-security-token is
 *          one of them when the identity has a session token
 * Owns:    `key` is the caller's, one per identity, region and service
 * Errors:  SL_CRYPTO (stop), SL_NOMEM (retry)
 * Source:  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 *          vectors: tests/unit/test_aws_sigv4.c
 */
sl_rc sl_sigv4_sign(const struct sl_sigv4_request *request, const struct sl_aws_creds *creds,
                    sl_str region, sl_str service, int64_t at_ms, struct sl_sigv4_key *key,
                    struct sl_buf *out, struct sl_err *e) SL_MUST_CHECK;

/* What a signature is good for. */
struct sl_sigv4_scope {
    sl_str region;
    sl_str service;
    int64_t at_ms;
};

/* Append a query that is signed: who has it may do as the request says until it expires.
 *
 *     QUERY&X-Amz-Algorithm=...&X-Amz-Credential=...& ... &X-Amz-Signature=...
 *
 * Shape:   the request's query is not empty, and its names sort before X-Amz
 * Errors:  SL_CRYPTO (stop)
 * Source:  https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
sl_rc sl_sigv4_presign(const struct sl_sigv4_request *request, const struct sl_aws_creds *creds,
                       const struct sl_sigv4_scope *scope, unsigned expires_s, struct sl_buf *out,
                       struct sl_err *e) SL_MUST_CHECK;

/* The time as x-amz-date has it: 20260131T235959Z */
void sl_sigv4_date(int64_t at_ms, char out[static 17]);

#endif
