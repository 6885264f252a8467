/* source/sqs_error.h - what an error code of SQS means to us. */
#ifndef SLUICE_SOURCE_SQS_ERROR_H
#define SLUICE_SOURCE_SQS_ERROR_H

#include "base/err.h"
#include "base/str.h"

/* Turn code and message of an error answer into a report.
 *
 * Shape:   code in any of its spellings ("com.amazonaws.sqs#QueueDoesNotExist",
 *          "AWS.SimpleQueueService.NonExistentQueue;Sender"), "" for none; message is repeated
 *          only when it is short, plain and about the request itself
 * Returns: as sl_sqs_read_error; never SL_OK
 */
sl_rc sl_sqs_error_report(int status, sl_str code, sl_str message, struct sl_err *e) SL_MUST_CHECK;

#endif
