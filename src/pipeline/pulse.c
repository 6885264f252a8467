/* pipeline/pulse.c - the words of the stages. */
#include "pipeline/pulse.h"

const char *sl_stage_name(enum sl_stage stage)
{
    static const char *const names[] = {
#define X(name, text) #name,
#include "pipeline/stages.def"
#undef X
    };

    return names[stage];
}
