/* tests/model/sluice.pml - the protocol of receive, load and ack, tried in every order there is.
 *
 * Not a test of the C code but of the idea: spin takes every step that could come next, in every
 * state that can be reached, and looks whether a promise is broken.  run.sh lets it, with the idea
 * as it is and with pieces taken out (the #ifdefs below), each of which must break a promise.
 *
 * To read it without knowing Promela: a proctype is a thread; an inline is a macro.
 * `do :: a -> b :: c -> d od` is a loop over options: any one whose first part is true may be
 * taken, spin tries them all, and a thread without such an option waits.  `if` is the same, once.
 * atomic { } and d_step { } are one step that nobody sees half done.  (a -> b : c) is a ? b : c.
 * printf speaks when a broken promise is told again, step by step.
 *
 * An option of worker() is one thing that may happen next to a worker, named for the function in
 * src/ that does it.  There is one loop as there is one wait: while a load waits for the database,
 * messages are received and deleted.
 */

/* ---- the size of the world ------------------------------------------------------------------- */

#define MESSAGES 2 /* options are written out for two */
#define WORKERS 2  /* as well */
#define COPIES 2   /* deliveries of one message that one worker may hold at a time */
#define LIMBO 2    /* transactions whose client is gone, at a time */

/* How often what may go wrong does so, in one run. */
#ifndef CRASHES
#define CRASHES 1 /* kill -9 of a worker, which is started again */
#endif
#ifndef LAPSES
#define LAPSES 1 /* a message becomes visible while it is held; a deleted one is there again */
#endif
#ifndef LOSSES
#define LOSSES 1 /* connections to the database; replies to a receive or delete; deletes given up */
#endif
#ifndef ABORTS
#define ABORTS 0 /* the server ends a transaction and says so: deadlock, lock timeout, failover */
#endif
#ifndef STOPS
#define STOPS 0 /* an outage outlasts a worker's patience, or it is told to stop in one */
#endif
#ifndef REFUSED
#define REFUSED 0 /* the set of messages whose row PostgreSQL may refuse; 2: message 1 */
#endif

/* ---- the promises ---------------------------------------------------------------------------- */

#define DOUBLE 1  /* a message has at most one row or dead letter */
#define LOST 2    /* what is deleted from the queue has its row or dead letter, committed */
#define ONCE 4    /* in the end each message has one of them, and the queue is empty */
#define RESTS 8   /* in the end no worker waits or holds anything */
#define COUNT 16  /* received = loaded + duplicates + dead-lettered + returned + in flight */
#define SUMS 32   /* unless a worker crashed or gave up, loaded = rows and so on, in the end */
#define HANDLE 64 /* a worker that knows the current handle deletes with it */

#ifndef CHECK
#define CHECK (DOUBLE | LOST | ONCE | RESTS | COUNT | SUMS | HANDLE)
#endif

inline promise(which, holds)
{
    if
    :: (CHECK & which) != 0 && !(holds) ->
        printf("broken promise %d\n", which);
        assert(false)
    :: else
    fi
}

/* ---- what there is: the queue ---------------------------------------------------------------- */

#define NOBODY 255

bit exists[MESSAGES] = 1;
bit visible[MESSAGES] = 1;

/* A receipt handle is good until its message is received again, so it is enough to know which
 * delivery was the last: worker * COPIES + copy.  Every other handle of the message is stale. */
byte newest[MESSAGES] = NOBODY;

/* ---- what there is: the database ------------------------------------------------------------- */

/* A set of messages is a mask. */
#define BIT(m) (1 << (m))
#define INDEX(one) ((one) >> 1)
#define LOWEST(set) ((set) & -(set))

/* Of a batch id, which is random and never comes again, all that counts is whether it is that of
 * the batch which a worker has in hand.  Else it is PAST. */
#define NONE 0
#define ID(w) ((w) + 1)
#define PAST 3

/* Committed. */
byte ledger[MESSAGES] = NONE; /* id of the batch that put the key there */
byte rows[MESSAGES];
byte dead[MESSAGES];

/* Open transactions: first each worker's own, then those in limbo, whose client is gone.  A
 * message in either set has its ledger key inserted: by the unique index, whoever wants the same
 * key waits until this transaction has ended. */
typedef transaction {
    byte rows;
    byte dead;
    byte id;        /* in limbo: whose batch */
    bit may_commit; /* in limbo: COMMIT was sent; otherwise the server can only abort */
};
transaction tx[WORKERS + LIMBO];

#define KEYS(t) (tx[t].rows | tx[t].dead)
#define KEYS_OF_OTHERS (KEYS(1 - w) | KEYS(2) | KEYS(3))
#define IS_KNOWN(one) (ledger[INDEX(one)] != NONE)
#define IS_COMMITTED(m) (rows[m] + dead[m] > 0)

#if defined(NO_LEDGER) || defined(ASK_FIRST) || defined(LEDGER_APART)
#define MUST_WAIT(one) false
#else
#define MUST_WAIT(one) (((one)&KEYS_OF_OTHERS) != 0)
#endif

/* ---- what there is: the workers -------------------------------------------------------------- */

mtype:delivery = {
    FREE,   /* nothing held here */
    READY,  /* received, in no batch yet */
    TAKEN,  /* in the batch, without an outcome */
    DONE,   /* in the batch, committed */
    DELETE, /* the batch has ended; owed to the queue */
};

mtype:phase = {
    IDLE,
    COPY_LEDGER, /* optimistic: a known key ends it */
    INSERT_KEYS, /* ON CONFLICT DO NOTHING: known keys are left out */
    COMMIT,      /* rows, dead letters and COMMIT are sent, and not answered */
};

typedef worker_state {
    mtype:delivery slot[MESSAGES * COPIES];
    mtype:phase phase;
    byte left;      /* set: of the batch, not tried in this round */
    byte part;      /* set: in the present transaction */
    byte known;     /* set: of the part, in the ledger before */
    byte ours;      /* set: of the part, put there by this very batch */
    byte verdict;   /* set: refused, so goes in as a dead letter */
    bit singly;     /* each message in a transaction of its own */
    byte in_flight; /* received - loaded - duplicates - dead-lettered - returned, as counted */
};
worker_state workers[WORKERS];

#define my workers[w]
#define SLOT(m, copy) ((m)*COPIES + (copy))
#define ME(copy) (w * COPIES + (copy))
#define IS_MINE(who) ((who) != NOBODY && (who) / COPIES == w)
#define IS_READY(i) (my.slot[i] == READY)
#define IS_UNDECIDED(i) (my.slot[i] == READY || my.slot[i] == TAKEN)
#define IS_TAKEN(m) (my.slot[SLOT(m, 0)] == TAKEN || my.slot[SLOT(m, 1)] == TAKEN)
#define TAKEN_SET (IS_TAKEN(0) * BIT(0) | IS_TAKEN(1) * BIT(1))

/* The next ledger key of the transaction, in the order of the primary key. */
#ifdef UNSORTED
#define FIRST(set) ((set) == 3 && w == 1 -> 2 : LOWEST(set))
#else
#define FIRST(set) LOWEST(set)
#endif
#define NEXT FIRST(my.part & ~(KEYS(w) | my.known))

/* ---- what there is: faults, sums, scratch ---------------------------------------------------- */

byte crashes;
byte lapses;
byte losses;
byte aborts;
byte stops;

/* Committed, less what workers have counted; kept while that can be known. */
short uncounted_rows;
short uncounted_dead;
#define IS_EXACT (crashes + stops == 0)

/* For use within one step. */
hidden byte i;
hidden byte j;
hidden byte key;
hidden byte is_ours;

/* ---- steps of the queue ---------------------------------------------------------------------- */

inline queue_delete(m)
{
    if
    :: exists[m] ->
        promise(LOST, IS_COMMITTED(m));
        exists[m] = 0;
        visible[m] = 0;
        newest[m] = NOBODY
    :: else
    fi
}

/* ---- steps of the database ------------------------------------------------------------------- */

inline tx_clear(t)
{
    tx[t].rows = 0;
    tx[t].dead = 0;
    tx[t].id = NONE;
    tx[t].may_commit = 0
}

/* All of a transaction becomes true at once. */
inline tx_commit(t, batch_id)
{
    for (i : 0 .. MESSAGES - 1) {
        if
        :: tx[t].rows & BIT(i) ->
            rows[i]++;
            uncounted_rows = uncounted_rows + IS_EXACT
        :: else
        fi;
        if
        :: (tx[t].dead & BIT(i)) && dead[i] == 0 -> /* ON CONFLICT DO NOTHING */
            dead[i]++;
            uncounted_dead = uncounted_dead + IS_EXACT
        :: else
        fi;
#ifndef NO_LEDGER
        ledger[i] = ((KEYS(t) & BIT(i)) -> batch_id : ledger[i]);
#endif
        promise(DOUBLE, rows[i] + dead[i] <= 1)
    }
    tx_clear(t)
}

/* The client is gone, or its connection is: the server notices in its own time, and a COMMIT that
 * was on its way may still arrive.  (With no room in limbo the transaction is aborted at once.) */
inline tx_to_limbo()
{
    j = (KEYS(WORKERS) == 0 -> WORKERS : WORKERS + 1);
    if
    :: KEYS(w) != 0 && KEYS(j) == 0 ->
        tx[j].rows = tx[w].rows;
        tx[j].dead = tx[w].dead;
        tx[j].id = ID(w);
        tx[j].may_commit = my.phase == COMMIT
    :: else
    fi;
    tx_clear(w)
}

inline limbo_end(t)
{
    tx_clear(t);
    if /* the first is the one that is used */
    :: t == WORKERS && KEYS(WORKERS + 1) != 0 ->
        tx[WORKERS].rows = tx[WORKERS + 1].rows;
        tx[WORKERS].dead = tx[WORKERS + 1].dead;
        tx[WORKERS].id = tx[WORKERS + 1].id;
        tx[WORKERS].may_commit = tx[WORKERS + 1].may_commit;
        tx_clear(WORKERS + 1)
    :: else
    fi
}

inline limbo_commit(t)
{
    printf("the server commits what nobody waits for\n");
    tx_commit(t, tx[t].id);
    limbo_end(t)
}

inline limbo_abort(t)
{
    printf("the server aborts what nobody waits for\n");
    limbo_end(t)
}

/* ---- steps of a worker: deliveries ----------------------------------------------------------- */

inline check_count()
{
    promise(COUNT, my.in_flight ==
        IS_UNDECIDED(0) + IS_UNDECIDED(1) + IS_UNDECIDED(2) + IS_UNDECIDED(3))
}

inline receive(m)
{
    j = (my.slot[SLOT(m, 0)] == FREE -> 0 : 1);
    my.slot[SLOT(m, j)] = READY;
    my.in_flight++;
    visible[m] = 0;
    newest[m] = ME(j);
    printf("worker %d receives message %d\n", w, m);
    check_count()
}

inline forget(m, copy)
{
    my.slot[SLOT(m, copy)] = FREE;
    newest[m] = (newest[m] == ME(copy) -> NOBODY : newest[m]);
    if /* the first copy is the one that is used */
    :: copy == 0 && my.slot[SLOT(m, 1)] != FREE ->
        my.slot[SLOT(m, 0)] = my.slot[SLOT(m, 1)];
        my.slot[SLOT(m, 1)] = FREE;
        newest[m] = (newest[m] == ME(1) -> ME(0) : newest[m])
    :: else
    fi
}

/* ---- steps of a worker: a batch -------------------------------------------------------------- */

/* From now on the id that the batch had means nobody. */
inline id_end()
{
    for (i : 0 .. MESSAGES - 1) {
        ledger[i] = (ledger[i] == ID(w) -> PAST : ledger[i])
    }
    for (i : WORKERS .. WORKERS + LIMBO - 1) {
        tx[i].id = (tx[i].id == ID(w) -> PAST : tx[i].id)
    }
}

inline batch_forget()
{
    id_end();
    my.left = 0;
    my.part = 0;
    my.known = 0;
    my.ours = 0;
    my.verdict = 0;
    my.singly = 0;
    my.phase = IDLE
}

inline batch_end()
{
    for (i : 0 .. MESSAGES * COPIES - 1) {
        my.slot[i] = (my.slot[i] == DONE -> DELETE : my.slot[i])
    }
    batch_forget()
}

/* The next transaction of the batch.  What is left when a round is over was refused: another
 * round, with verdicts. */
inline part_begin()
{
    tx_clear(w);
    my.known = 0;
    my.ours = 0;
    if
    :: my.left == 0 ->
        my.left = TAKEN_SET;
        my.singly = 0
    :: else
    fi;
    if
    :: my.left == 0 -> batch_end()
    :: else ->
        my.part = (my.singly -> LOWEST(my.left) : my.left);
#ifdef ASK_FIRST
        my.phase = INSERT_KEYS
#else
        my.phase = COPY_LEDGER
#endif
    fi
}

inline batch_take()
{
    for (i : 0 .. MESSAGES * COPIES - 1) {
        my.slot[i] = (my.slot[i] == READY -> TAKEN : my.slot[i])
    }
    printf("worker %d takes a batch\n", w);
    part_begin();
#ifdef ACK_BEFORE_COMMIT
    printf("worker %d deletes what is in it\n", w);
    if :: IS_TAKEN(0) -> queue_delete(0) :: else fi;
    if :: IS_TAKEN(1) -> queue_delete(1) :: else fi
#endif
}

inline key_insert(one)
{
    printf("worker %d inserts the key of message %d\n", w, INDEX(one));
    tx[w].dead = tx[w].dead | (my.verdict & one);
    tx[w].rows = tx[w].rows | (~my.verdict & one);
#ifdef LEDGER_APART
    ledger[INDEX(one)] = ID(w)
#endif
}

inline ask_ours()
{
    for (i : 0 .. MESSAGES - 1) {
        my.ours = my.ours | (BIT(i) * (ledger[i] == ID(w)))
    }
}

inline copy_key()
{
    key = NEXT;
    if
    :: IS_KNOWN(key) ->
        printf("worker %d meets a key that the ledger knows\n", w);
        tx_clear(w);
#ifdef OURS_FIRST
        ask_ours();
#endif
        my.phase = INSERT_KEYS
    :: else ->
        key_insert(key);
        my.phase = (NEXT == 0 -> COMMIT : COPY_LEDGER)
    fi
}

inline insert_key()
{
    key = NEXT;
    if
    :: IS_KNOWN(key) -> my.known = my.known | key
    :: else -> key_insert(key)
    fi;
    if
    :: NEXT == 0 ->
#ifndef OURS_FIRST
        ask_ours();
#endif
        my.phase = COMMIT
    :: else
    fi
}

/* The commit is known: each message of the part has its outcome, and its repeats are duplicates. */
inline decide()
{
    for (i : 0 .. MESSAGES - 1) {
        if
        :: my.part & BIT(i) ->
            is_ours = (my.known & ~my.ours & BIT(i)) == 0;
            uncounted_rows = uncounted_rows - (is_ours && IS_EXACT && !(my.verdict & BIT(i)));
            uncounted_dead = uncounted_dead - (is_ours && IS_EXACT && (my.verdict & BIT(i)));
            my.in_flight = my.in_flight - (my.slot[SLOT(i, 0)] == TAKEN);
#ifndef FORGET_REPEATS
            my.in_flight = my.in_flight - (my.slot[SLOT(i, 1)] == TAKEN);
#endif
            for (j : 0 .. COPIES - 1) {
                my.slot[SLOT(i, j)] = (my.slot[SLOT(i, j)] == TAKEN -> DONE : my.slot[SLOT(i, j)])
            }
#ifdef KEEP_DUPLICATES
            if :: !is_ours && my.slot[SLOT(i, 1)] == DONE -> forget(i, 1) :: else fi;
            if :: !is_ours && my.slot[SLOT(i, 0)] == DONE -> forget(i, 0) :: else fi
#endif
        :: else
        fi
    }
    my.left = my.left & ~my.part;
    check_count()
}

inline commit()
{
    printf("worker %d commits\n", w);
    tx_commit(w, ID(w));
    decide();
    part_begin()
}

/* One of several: each by itself.  One by itself: a verdict. */
inline refuse()
{
    printf("PostgreSQL refuses a row of worker %d\n", w);
    if
    :: my.part == LOWEST(my.part) ->
        my.verdict = my.verdict | my.part;
        my.left = my.left & ~my.part
    :: else -> my.singly = 1
    fi;
    part_begin()
}

/* ---- steps of a worker: what goes wrong ------------------------------------------------------ */

inline abort()
{
    printf("the server aborts the transaction of worker %d\n", w);
    aborts++;
    tx_clear(w)
}

inline lose()
{
    printf("worker %d loses its connection\n", w);
    losses++;
    tx_to_limbo()
}

/* All that has no outcome yet, in one transaction or, as after a timeout, in several. */
inline try_again(is_singly)
{
#ifdef NEW_ID
    id_end();
#endif
    my.left = TAKEN_SET;
    my.singly = is_singly;
    part_begin()
}

/* The outage lasts too long, or a stop is urgent: what has no outcome is handed back, what has one
 * is deleted. */
inline give_up()
{
    printf("worker %d loses its connection, and gives up\n", w);
    stops++;
    tx_to_limbo();
    for (i : 0 .. MESSAGES - 1) {
        for (j : 0 .. COPIES - 1) {
            key = COPIES - 1 - j; /* the later copy first: the earlier one's place is filled */
            if
            :: IS_UNDECIDED(SLOT(i, key)) ->
                forget(i, key);
                my.in_flight--
            :: else
            fi
        }
    }
    uncounted_rows = 0;
    uncounted_dead = 0;
    check_count();
    batch_end()
}

inline crash()
{
    printf("worker %d is killed\n", w);
    crashes++;
    tx_to_limbo();
    for (i : 0 .. MESSAGES - 1) {
        forget(i, 1);
        forget(i, 0)
    }
    my.in_flight = 0;
    uncounted_rows = 0;
    uncounted_dead = 0;
    batch_forget()
}

/* ---- steps of a worker: a delete ------------------------------------------------------------- */

/* It goes out with the newest handle that this worker knows. */
#ifdef STALE_HANDLE
#define IS_CURRENT(m, copy) (newest[m] == ME(copy))
#else
#define IS_CURRENT(m, copy) IS_MINE(newest[m])
#endif

inline delete_answered(m, copy)
{
    forget(m, copy);
#ifdef TRIM_LEDGER
    ledger[m] = NONE
#endif
}

/* A stale handle may delete, and it may delete nothing, with or without an error. */
inline delete(m, copy)
{
    if
    :: d_step {
        printf("worker %d deletes message %d\n", w, m);
        queue_delete(m);
        delete_answered(m, copy) }
    :: d_step { !IS_CURRENT(m, copy) ->
        printf("worker %d deletes message %d with a stale handle, to no effect\n", w, m);
        promise(HANDLE, !exists[m] || !IS_MINE(newest[m]));
        delete_answered(m, copy) }
    :: d_step { losses < LOSSES ->
        printf("worker %d deletes message %d, and the answer is lost\n", w, m);
        losses++;
        queue_delete(m) }
    :: d_step { losses < LOSSES ->
        printf("worker %d gives up deleting message %d\n", w, m);
        losses++;
        forget(m, copy) }
    fi
}

/* ---- a worker -------------------------------------------------------------------------------- */

#define CAN_RECEIVE(m) (visible[m] && my.slot[SLOT(m, 1)] == FREE)
#define HAS_READY (IS_READY(0) || IS_READY(1) || IS_READY(2) || IS_READY(3))
#define IS_EMPTY_HANDED (my.slot[SLOT(0, 0)] == FREE && my.slot[SLOT(1, 0)] == FREE)

proctype worker(byte w)
{
end:
    do
    /* source_receive */
    :: d_step { CAN_RECEIVE(0) -> receive(0) }
    :: d_step { CAN_RECEIVE(1) -> receive(1) }
    :: d_step { my.phase == IDLE && HAS_READY -> batch_take() }

    /* load_optimistic, load_asking */
    :: d_step { my.phase == COPY_LEDGER && !MUST_WAIT(NEXT) -> copy_key() }
    :: d_step { my.phase == INSERT_KEYS && !MUST_WAIT(NEXT) -> insert_key() }
    :: d_step { my.phase == COMMIT -> commit() }
    :: d_step { my.phase == COMMIT && (tx[w].rows & REFUSED) -> refuse() }

    /* sl_stage_load: an outage is waited out, or not */
    :: atomic { KEYS(w) != 0 && aborts < ABORTS ->
        d_step { abort() };
        if :: d_step { try_again(0) } :: d_step { try_again(1) } fi }
    :: atomic { KEYS(w) != 0 && losses < LOSSES ->
        d_step { lose() };
        if :: d_step { try_again(0) } :: d_step { try_again(1) } fi }
    :: d_step { my.phase != IDLE && stops < STOPS -> give_up() }

    /* sl_leases_tick */
    :: atomic { my.slot[SLOT(0, 0)] == DELETE -> delete(0, 0) }
    :: atomic { my.slot[SLOT(0, 1)] == DELETE -> delete(0, 1) }
    :: atomic { my.slot[SLOT(1, 0)] == DELETE -> delete(1, 0) }
    :: atomic { my.slot[SLOT(1, 1)] == DELETE -> delete(1, 1) }

    /* kill -9 */
    :: d_step { crashes < CRASHES && !IS_EMPTY_HANDED -> crash() }
    od
}

/* ---- what nobody has asked for --------------------------------------------------------------- */

/* Nobody has the current handle any more: the visibility timeout ends, sooner or later. */
#define IS_OVER(m) (exists[m] && !visible[m] && newest[m] == NOBODY)
/* Somebody has it, but was too slow. */
#define MAY_LAPSE(m) (exists[m] && !visible[m] && newest[m] != NOBODY && lapses < LAPSES)
/* A server of the queue had not heard of the delete. */
#define MAY_ECHO(m) (!exists[m] && lapses < LAPSES)
/* The reply to a receive. */
#define MAY_LOSE(m) (visible[m] && losses < LOSSES)

inline queue_lapse(m)
{
    printf("message %d is visible too early\n", m);
    visible[m] = 1;
    lapses++
}

inline queue_echo(m)
{
    printf("message %d is there again\n", m);
    exists[m] = 1;
    visible[m] = 1;
    lapses++
}

inline queue_lose(m)
{
    printf("message %d is received by nobody\n", m);
    visible[m] = 0;
    newest[m] = NOBODY;
    losses++
}

#define IS_THERE_ONCE(m) \
    (!exists[m] && rows[m] + dead[m] == 1 && (dead[m] == 0 || (REFUSED & BIT(m)) != 0))

inline check_end()
{
    promise(ONCE, IS_THERE_ONCE(0) && IS_THERE_ONCE(1));
    promise(RESTS, workers[0].phase == IDLE && workers[1].phase == IDLE);
    for (i : 0 .. MESSAGES * COPIES - 1) {
        promise(RESTS, workers[0].slot[i] == FREE && workers[1].slot[i] == FREE)
    }
    promise(SUMS, uncounted_rows == 0 && uncounted_dead == 0)
}

proctype world()
{
    do
    :: d_step { IS_OVER(0) -> visible[0] = 1 }
    :: d_step { IS_OVER(1) -> visible[1] = 1 }
    :: d_step { MAY_LAPSE(0) -> queue_lapse(0) }
    :: d_step { MAY_LAPSE(1) -> queue_lapse(1) }
    :: d_step { MAY_ECHO(0) -> queue_echo(0) }
    :: d_step { MAY_ECHO(1) -> queue_echo(1) }
    :: d_step { MAY_LOSE(0) -> queue_lose(0) }
    :: d_step { MAY_LOSE(1) -> queue_lose(1) }

    :: d_step { KEYS(2) != 0 && tx[2].may_commit -> limbo_commit(2) }
    :: d_step { KEYS(3) != 0 && tx[3].may_commit -> limbo_commit(3) }
    :: d_step { KEYS(2) != 0 -> limbo_abort(2) }
    :: d_step { KEYS(3) != 0 -> limbo_abort(3) }

    /* true when nobody can do anything else */
    :: timeout ->
        d_step { check_end() };
        break
    od
}

init
{
    d_step {
        for (i : 0 .. WORKERS * MESSAGES * COPIES - 1) {
            workers[i / (MESSAGES * COPIES)].slot[i % (MESSAGES * COPIES)] = FREE
        }
        workers[0].phase = IDLE;
        workers[1].phase = IDLE
    }
    atomic {
        run worker(0);
        run worker(1);
        run world()
    }
}
