/*
 * What is known of each AoR. A binding belongs to the registrar that it was registered with: that one tells all
 * bindings it has with each answer (RFC 3261 section 10.3), and what it does not tell is gone.
 */
#include <stdlib.h>
#include <string.h>

#include "track/registrar_internal.h"

#define CHUNK          1024u
#define EXPIRES_PRESET 3600u            /* where nobody says; RFC 3261 section 10.2 */
#define GRACE          (2 * REG_SECOND) /* a refresh at the last moment is one */

/* ------------------------------------------------------------------------------------------------ places */

struct reg_known *reg_aor_at(const struct registrar *r, uint32_t place)
{
    return &r->chunks[place / CHUNK][place % CHUNK];
}

uint32_t registrar_places(const struct registrar *r)
{
    return r->aor_places;
}

static uint32_t find(const struct registrar *r, uint64_t aor)
{
    uint32_t at = (uint32_t)aor, place;
    while ((place = cells_next(&r->aor_cells, (uint32_t)aor, &at)) != 0 && reg_aor_at(r, place)->aor != aor)
        ;
    return place;
}

static void unlink_place(struct registrar *r, struct reg_known *k)
{
    unsigned list = k->proven;
    *(k->older != 0 ? &reg_aor_at(r, k->older)->newer : &r->oldest[list]) = k->newer;
    *(k->newer != 0 ? &reg_aor_at(r, k->newer)->older : &r->newest[list]) = k->older;
}

static void link_newest(struct registrar *r, struct reg_known *k, uint32_t place)
{
    unsigned list = k->proven;
    k->older = r->newest[list];
    k->newer = 0;
    *(k->older != 0 ? &reg_aor_at(r, k->older)->newer : &r->oldest[list]) = place;
    r->newest[list] = place;
}

static void bound_clear(struct registrar *r, struct reg_bound *b)
{
    reg_string_free(r, b->uri);
    reg_string_free(r, b->agent);
}

static void clear(struct registrar *r, struct reg_known *k)
{
    for (unsigned i = 0; i < k->binding_count; i++)
        bound_clear(r, &k->bindings[i]);
    reg_release(r, k->bindings, k->binding_cap * sizeof(*k->bindings));
    reg_string_free(r, k->user);
    reg_string_free(r, k->host);
    reg_string_free(r, k->reason);
    reg_string_free(r, k->call_id);
    reg_string_free(r, k->agent);
    if (k->counted > 0)
        r->stats.by_state[k->counted - 1]--;
    memset(k, 0, sizeof(*k));
}

static void forget(struct registrar *r, uint32_t place)
{
    struct reg_known *k = reg_aor_at(r, place);
    unlink_place(r, k);
    cells_remove(&r->aor_cells, (uint32_t)k->aor, place);
    clear(r, k);
    k->newer = r->aor_free;
    r->aor_free = place;
    r->stats.aors--;
}

/* 0: no memory. */
static uint32_t new_place(struct registrar *r)
{
    uint32_t place = r->aor_free;
    if (place != 0) {
        r->aor_free = reg_aor_at(r, place)->newer;
        return place;
    }
    if (r->aor_places % CHUNK == 0) {
        size_t count = r->aor_places / CHUNK;
        struct reg_known **chunks = realloc(r->chunks, (count + 1) * sizeof(struct reg_known *));
        if (chunks == NULL)
            return 0;
        r->chunks = chunks;
        chunks[count] = reg_alloc(r, CHUNK * sizeof(struct reg_known));
        if (chunks[count] == NULL)
            return 0;
        r->aor_places += count == 0; /* 0 is no place */
    }
    return r->aor_places++;
}

/* Who never succeeded goes first: an attacker can think of any number of AoRs. */
static void make_room(struct registrar *r)
{
    while (r->stats.aors >= r->o.max_aors) {
        forget(r, r->oldest[0] != 0 ? r->oldest[0] : r->oldest[1]);
        r->stats.aors_evicted++;
    }
}

uint32_t reg_aor_add(struct registrar *r, uint64_t aor, bool proven)
{
    if (find(r, aor) != 0)
        return 0;
    make_room(r);
    uint32_t place = cells_room(&r->aor_cells) ? new_place(r) : 0;
    if (place == 0) {
        r->stats.no_memory++;
        return 0;
    }
    struct reg_known *k = reg_aor_at(r, place);
    memset(k, 0, sizeof(*k));
    k->aor = aor;
    k->used = 1;
    k->proven = proven;
    k->used_s = r->now;
    k->last_attempt = k->last_success = k->since = TRACK_NO_TIME;
    link_newest(r, k, place);
    cells_put(&r->aor_cells, (uint32_t)aor, place);
    r->stats.aors++;
    return place;
}

void reg_aors_free(struct registrar *r)
{
    for (uint32_t place = 1; place < r->aor_places; place++)
        if (reg_aor_at(r, place)->used)
            clear(r, reg_aor_at(r, place));
    for (uint32_t i = 0; i * CHUNK < r->aor_places; i++)
        free(r->chunks[i]);
    free(r->chunks);
}

/* ------------------------------------------------------------------------------------------------ states */

static unsigned holding(const struct reg_known *k, int64_t ts)
{
    unsigned n = 0;
    for (unsigned i = 0; i < k->binding_count; i++)
        n += k->bindings[i].expires_at + GRACE > ts;
    return n;
}

static void change(struct reg_known *k, int64_t ts)
{
    k->changes[k->change_at] = ts > REG_SECOND ? (uint32_t)(ts / REG_SECOND) : 1;
    k->change_at = (uint8_t)((k->change_at + 1) % REG_CHANGES_MAX);
}

static unsigned changes(const struct registrar *r, const struct reg_known *k, int64_t now_us)
{
    unsigned n = 0;
    for (unsigned i = 0; i < REG_CHANGES_MAX; i++)
        n += k->changes[i] != 0 && k->changes[i] + (int64_t)r->o.flap_window_s > now_us / REG_SECOND;
    return n;
}

static void go_down(struct reg_known *k, int64_t ts, bool removed)
{
    if (!k->up)
        return;
    k->up = false;
    k->removed = removed;
    k->since = ts;
    change(k, ts);
}

/* Nobody says that a binding expires. */
static void expire(struct reg_known *k, int64_t ts)
{
    int64_t last = 0;
    if (!k->up || holding(k, ts) > 0)
        return;
    for (unsigned i = 0; i < k->binding_count; i++)
        last = k->bindings[i].expires_at > last ? k->bindings[i].expires_at : last;
    go_down(k, last, false);
}

/* What was answered shortly before now is not here yet. */
static int64_t known_at(const struct registrar *r, int64_t now_us)
{
    return now_us - (int64_t)(r->o.linger_s + 1) * REG_SECOND;
}

static enum reg_state state_of(const struct registrar *r, const struct reg_known *k, int64_t now_us)
{
    if (changes(r, k, now_us) >= r->o.flap_changes)
        return REG_STATE_FLAPPING;
    if (k->failing)
        return REG_STATE_FAILING;
    if (holding(k, known_at(r, now_us)) > 0)
        return REG_STATE_REGISTERED;
    return k->last_success == TRACK_NO_TIME || k->removed ? REG_STATE_UNREGISTERED : REG_STATE_EXPIRED;
}

static void count(struct registrar *r, struct reg_known *k, int64_t now_us)
{
    expire(k, known_at(r, now_us));
    if (k->counted > 0)
        r->stats.by_state[k->counted - 1]--;
    k->counted = (uint8_t)(1 + state_of(r, k, now_us));
    r->stats.by_state[k->counted - 1]++;
}

void reg_aor_sweep(struct registrar *r, uint32_t most)
{
    for (uint32_t i = 0; i < most && i < r->aor_places; i++) {
        r->swept = r->swept + 1 < r->aor_places ? r->swept + 1 : 1;
        struct reg_known *k = r->aor_places > 1 ? reg_aor_at(r, r->swept) : NULL;
        if (k == NULL || !k->used)
            continue;
        count(r, k, (int64_t)r->now * REG_SECOND);
        if (r->now - k->used_s >= r->o.forget_s && r->now > k->used_s) {
            forget(r, r->swept);
            r->stats.aors_forgotten++;
        }
    }
}

/* ------------------------------------------------------------------------------------------------ bindings */

static uint32_t registrar_of(const struct reg_transaction *t)
{
    return t->request == TRACK_NO_TIME ? 0 : track_endpoint(&t->dst.ip, t->dst.port);
}

/* NULL: there is none. registrar 0: of any. */
static struct reg_bound *bound_find(const struct reg_known *k, uint32_t contact, uint32_t registrar)
{
    for (unsigned i = 0; i < k->binding_count; i++)
        if (k->bindings[i].hash == contact && (registrar == 0 || k->bindings[i].registrar == registrar))
            return &k->bindings[i];
    return NULL;
}

static void bound_drop(struct registrar *r, struct reg_known *k, struct reg_bound *b)
{
    size_t i = (size_t)(b - k->bindings);
    bound_clear(r, b);
    memmove(b, b + 1, (k->binding_count - i - 1u) * sizeof(*b));
    k->binding_count--;
}

bool reg_aor_room(struct registrar *r, struct reg_known *k, uint8_t wanted)
{
    if (wanted <= k->binding_cap)
        return true;
    uint8_t cap = wanted <= 1 ? 1 : wanted <= 2 ? 2 : wanted <= 4 ? 4 : REG_AOR_BINDINGS;
    struct reg_bound *all = reg_alloc(r, cap * sizeof(*all));
    if (all == NULL)
        return false;
    if (k->binding_count > 0)
        memcpy(all, k->bindings, k->binding_count * sizeof(*all));
    reg_release(r, k->bindings, k->binding_cap * sizeof(*all));
    k->bindings = all;
    k->binding_cap = cap;
    return true;
}

/* A new one; of too many the one that expires first makes room. NULL: no memory. */
static struct reg_bound *bound_add(struct registrar *r, struct reg_known *k)
{
    if (k->binding_count == REG_AOR_BINDINGS) {
        struct reg_bound *least = &k->bindings[0];
        for (unsigned i = 1; i < k->binding_count; i++)
            if (k->bindings[i].expires_at < least->expires_at)
                least = &k->bindings[i];
        bound_drop(r, k, least);
        r->stats.cut++;
    }
    if (!reg_aor_room(r, k, (uint8_t)(k->binding_count + 1)))
        return NULL;
    struct reg_bound *b = &k->bindings[k->binding_count++];
    *b = (struct reg_bound){ .refreshed = TRACK_NO_TIME };
    return b;
}

struct binding {
    uint32_t contact, expires; /* seconds; 0: it goes */
    struct hep_slice uri;
    bool ours; /* the request asked for it */
};

static void bind_one(struct registrar *r, struct reg_known *k, const struct reg_transaction *t, int64_t ts,
                     const struct binding *what)
{
    uint32_t registrar = registrar_of(t);
    struct reg_bound *b = bound_find(k, what->contact, registrar);
    if (b != NULL && b->refreshed > ts)
        return;
    if (what->expires == 0) {
        if (b != NULL)
            bound_drop(r, k, b);
        return;
    }
    bool again = b != NULL && b->expires_at + GRACE > ts;
    b = b != NULL ? b : bound_add(r, k);
    if (b == NULL)
        return;
    b->hash = what->contact;
    b->registrar = registrar;
    b->since = again ? b->since : ts;
    b->expires_at = ts + (int64_t)what->expires * REG_SECOND;
    reg_string_set(r, &b->uri, what->uri);
    if (!what->ours)
        return;
    b->refreshed = ts;
    b->src = t->src;
    b->dst = t->dst;
    reg_string_set(r, &b->agent, reg_string_slice(t->agent));
}

static bool has(const struct reg_contacts *c, uint32_t contact)
{
    for (unsigned i = 0; c != NULL && i < c->count; i++)
        if (c->of[i].hash == contact)
            return true;
    return false;
}

/* Is the answer's list of the contacts as the request wrote them? Something on the way may have rewritten them. */
static bool lists_ours(const struct reg_transaction *t)
{
    if (t->asked == NULL || t->bound == NULL)
        return t->asked == NULL && t->bound != NULL;
    for (unsigned i = 0; i < t->asked->count; i++)
        if (has(t->bound, t->asked->of[i].hash))
            return true;
    return false;
}

/* What the registrar has beside the contacts of the request, and what it has no more. */
static void bind_others(struct registrar *r, struct reg_known *k, const struct reg_transaction *t, int64_t ts)
{
    uint32_t registrar = registrar_of(t);
    for (unsigned i = 0; i < k->binding_count;) {
        struct reg_bound *b = &k->bindings[i];
        if (b->registrar == registrar && b->refreshed <= ts && t->bound->count < REG_CONTACTS_MAX &&
            !has(t->bound, b->hash) && !has(t->asked, b->hash))
            bound_drop(r, k, b);
        else
            i++;
    }
    for (unsigned i = 0; i < t->bound->count; i++) {
        uint32_t expires = t->bound->of[i].expires == REG_NO_EXPIRES ? EXPIRES_PRESET : t->bound->of[i].expires;
        const struct binding what = { t->bound->of[i].hash, expires, reg_string_slice(t->bound->of[i].uri), false };
        if (!has(t->asked, what.contact))
            bind_one(r, k, t, ts, &what);
    }
}

static void drop_all(struct registrar *r, struct reg_known *k, uint32_t registrar)
{
    for (unsigned i = 0; i < k->binding_count;)
        if (registrar == 0 || k->bindings[i].registrar == registrar)
            bound_drop(r, k, &k->bindings[i]);
        else
            i++;
}

static void bind_asked(struct registrar *r, struct reg_known *k, const struct reg_transaction *t, int64_t ts)
{
    if (t->asked != NULL && t->asked->star)
        drop_all(r, k, registrar_of(t));
    for (unsigned i = 0; t->asked != NULL && i < t->asked->count; i++) {
        uint32_t granted = reg_granted(t, t->asked->of[i].hash);
        const struct binding what = { t->asked->of[i].hash, granted == REG_NO_EXPIRES ? EXPIRES_PRESET : granted,
                                      reg_string_slice(t->asked->of[i].uri), true };
        bind_one(r, k, t, ts, &what);
    }
    if (lists_ours(t))
        bind_others(r, k, t, ts);
}

/* ------------------------------------------------------------------------------------------------ attempts */

/* Is each contact that is asked for bound, at that registrar? */
static bool is_refresh(const struct reg_known *k, const struct reg_transaction *t, int64_t ts)
{
    for (unsigned i = 0; i < t->asked->count; i++) {
        const struct reg_bound *b = bound_find(k, t->asked->of[i].hash, registrar_of(t));
        if (t->asked->of[i].expires != 0 && (b == NULL || b->expires_at + GRACE <= ts))
            return false;
    }
    return true;
}

/* A failure of others, who guess passwords, makes no phone fail that is registered. */
static bool concerns(const struct reg_known *k, const struct reg_transaction *t, int64_t ts)
{
    if (holding(k, ts) == 0)
        return true;
    for (unsigned i = 0; t->asked != NULL && i < t->asked->count; i++)
        if (bound_find(k, t->asked->of[i].hash, 0) != NULL)
            return true;
    return false;
}

static void take_success(struct registrar *r, struct reg_known *k, const struct reg_chain *c, int64_t ts)
{
    bool was_up = k->up, was_failing = k->failing, first = k->last_success == TRACK_NO_TIME;
    bind_asked(r, k, c->last, ts);
    k->succeeded++;
    if (k->last_success != TRACK_NO_TIME && ts < k->last_success)
        return; /* an older one */
    k->last_success = ts;
    k->failing = false;
    k->failed_in_a_row = 0;
    if (holding(k, ts) == 0) {
        go_down(k, ts, true);
        k->removed = k->removed || c->attempt->result != REG_QUERIED;
        return;
    }
    k->up = true;
    k->removed = false;
    if (!was_up)
        k->since = ts;
    if (!first && (!was_up || was_failing || c->attempt->binding == REG_BINDING_NEW))
        change(k, ts);
}

static void take_failure(struct reg_known *k, const struct reg_chain *c, int64_t ts)
{
    k->failed++;
    if (k->last_attempt != TRACK_NO_TIME && ts < k->last_attempt)
        return;
    if (!concerns(k, c->last, ts))
        return;
    k->failed_in_a_row++;
    if (!k->failing && k->up)
        change(k, ts);
    k->failing = true;
}

static void set_last(struct registrar *r, struct reg_known *k, const struct reg_chain *c, int64_t ts)
{
    const struct reg_attempt *a = c->attempt;
    if (k->last_attempt != TRACK_NO_TIME && ts < k->last_attempt)
        return;
    k->last_attempt = ts;
    k->status = a->status > 0 ? (uint16_t)a->status : 0;
    k->result = (uint8_t)a->result;
    k->src = a->src;
    k->dst = a->dst;
    reg_string_set(r, &k->user, a->to_user);
    reg_string_set(r, &k->host, a->to_host);
    reg_string_set(r, &k->reason, a->reason);
    reg_string_set(r, &k->call_id, a->call_id);
    reg_string_set(r, &k->agent, a->user_agent);
}

static void use(struct registrar *r, struct reg_known *k, uint32_t place)
{
    unlink_place(r, k);
    k->proven = k->succeeded > 0;
    k->used_s = r->now;
    link_newest(r, k, place);
}

void reg_aor_take(struct registrar *r, const struct reg_chain *c)
{
    struct reg_attempt *a = c->attempt;
    uint32_t place = find(r, c->open->aor);
    place = place != 0 ? place : reg_aor_add(r, c->open->aor, false);
    if (place == 0)
        return;
    struct reg_known *k = reg_aor_at(r, place);
    int64_t ts = a->answered != TRACK_NO_TIME ? a->answered : a->last;
    expire(k, ts);
    if (a->binding == REG_BINDING_NEW && is_refresh(k, c->last, ts))
        a->binding = REG_BINDING_REFRESH;
    k->attempts++;
    if (a->result == REG_REGISTERED || a->result == REG_UNREGISTERED || a->result == REG_QUERIED)
        take_success(r, k, c, ts);
    else if (a->result != REG_INCOMPLETE)
        take_failure(k, c, ts);
    set_last(r, k, c, ts);
    use(r, k, place);
    count(r, k, (int64_t)r->now * REG_SECOND);
}

/* ------------------------------------------------------------------------------------------------ looking */

static void show_bindings(const struct registrar *r, const struct reg_known *k, int64_t now_us, struct reg_aor *ret)
{
    for (unsigned i = 0; i < k->binding_count; i++) {
        const struct reg_bound *b = &k->bindings[i];
        ret->bindings[ret->binding_count++] = (struct reg_binding_record){
            .contact = reg_string_slice(b->uri),
            .agent = reg_string_slice(b->agent),
            .since = b->since,
            .refreshed = b->refreshed,
            .expires_at = b->expires_at,
            .src = b->src,
            .dst = b->dst,
            .holds = b->expires_at + GRACE > known_at(r, now_us),
        };
        ret->holding += ret->bindings[i].holds;
    }
}

bool registrar_show_place(const struct registrar *r, uint32_t place, int64_t now_us, reg_aor_fn *fn, void *arg)
{
    if (place == 0 || place >= r->aor_places || !reg_aor_at(r, place)->used)
        return false;
    const struct reg_known *k = reg_aor_at(r, place);
    struct reg_aor a = {
        .user = reg_string_slice(k->user),
        .host = reg_string_slice(k->host),
        .state = state_of(r, k, now_us),
        .since = k->since,
        .last_attempt = k->last_attempt,
        .last_success = k->last_success,
        .status = k->status > 0 ? k->status : TRACK_NONE,
        .result = (enum reg_result)k->result,
        .reason = reg_string_slice(k->reason),
        .call_id = reg_string_slice(k->call_id),
        .agent = reg_string_slice(k->agent),
        .src = k->src,
        .dst = k->dst,
        .attempts = k->attempts,
        .succeeded = k->succeeded,
        .failed = k->failed,
        .failed_in_a_row = k->failed_in_a_row,
        .changes = changes(r, k, now_us),
        .place = place,
    };
    show_bindings(r, k, now_us, &a);
    fn(arg, &a);
    return true;
}
