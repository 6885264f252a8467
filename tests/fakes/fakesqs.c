/* tests/fakes/fakesqs.c - an SQS server in memory, for what no emulator can do: millions of
 * messages, faults to order, and a report of what became of every message.
 *
 *     fakesqs [--port N] [--seed N] [--certificate FILE --key FILE]
 *
 * JSON protocol, 127.0.0.1 only, any signature, over TLS with a certificate.  Without a port it takes a free one; the first line
 * of its output says which.  The seed decides ids and faults.  SIGTERM ends it with status 0.
 */
#include <getopt.h>
#include <stdio.h>

#include "base/str.h"
#include "fake_server.h"

static bool number_read(const char *text, int64_t max, int64_t *ret)
{
    return sl_str_to_i64(sl_str_of(text), ret) && *ret >= 0 && *ret <= max;
}

static bool options_read(int argc, char **argv, struct fake_options *ret)
{
    static const struct option known[] = {
        { "port", required_argument, NULL, 'p' },
        { "seed", required_argument, NULL, 's' },
        { "certificate", required_argument, NULL, 'c' },
        { "key", required_argument, NULL, 'k' },
        { 0 },
    };
    int64_t number = 0;
    bool is_good = true;
    int option;

    while (is_good && (option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'p' && (is_good = number_read(optarg, UINT16_MAX, &number))) {
            ret->port = (uint16_t)number;
        } else if (option == 's' && (is_good = number_read(optarg, INT64_MAX, &number))) {
            ret->seed = (uint64_t)number;
        } else if (option == 'c') {
            ret->certificate = optarg;
        } else if (option == 'k') {
            ret->key = optarg;
        } else {
            is_good = false;
        }
    }
    return is_good && optind == argc && (ret->certificate == NULL) == (ret->key == NULL);
}

int main(int argc, char **argv)
{
    struct fake_server *server = NULL;
    struct sl_err e = { 0 };
    struct fake_options options = { .seed = 1 };
    sl_rc rc;

    if (!options_read(argc, argv, &options)) {
        (void)fprintf(stderr, "usage: fakesqs [--port N] [--seed N] [--certificate F --key F]\n");
        return 64;
    }
    rc = fake_server_open(&options, &server, &e);
    if (rc == SL_OK) {
        (void)printf("fakesqs ready on %s://127.0.0.1:%u\n",
                     options.certificate != NULL ? "https" : "http", fake_server_port(server));
        (void)fflush(stdout);
        rc = fake_server_run(server, &e);
        fake_server_close(server);
    }
    if (rc != SL_OK) {
        (void)fprintf(stderr, "fakesqs: %s\n", e.msg);
    }
    return rc == SL_OK ? 0 : 1;
}
