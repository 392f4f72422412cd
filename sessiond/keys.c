#include "sessiond/keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "sessiond/db.h"
#include "sessiond/digest.h"

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* A key or token taken apart. */
struct token {
	char id[KEY_ID_LEN + 1];
	struct digest hash;
};

static void token_new(const char *prefix, char out[KEY_LEN + 1], struct token *t)
{
	uint8_t secret[32];
	char id[27];

	random_id(id);
	memcpy(t->id, id, KEY_ID_LEN);
	t->id[KEY_ID_LEN] = 0;
	random_bytes(secret, sizeof(secret));
	memcpy(out, prefix, 4);
	memcpy(out + 4, t->id, KEY_ID_LEN);
	out[4 + KEY_ID_LEN] = '_';
	str_base64url(secret, sizeof(secret), out + 4 + KEY_ID_LEN + 1);
	t->hash = digest_sha256(out + 4 + KEY_ID_LEN + 1, SECRET_LEN);
	OPENSSL_cleanse(secret, sizeof(secret));
}

static bool token_parse(const char *prefix, const char *s, struct token *t)
{
	const char *secret = s + 4 + KEY_ID_LEN + 1;

	if (strlen(s) != KEY_LEN || !str_has_prefix(s, prefix) || secret[-1] != '_' ||
	    strspn(s + 4, alphabet) != KEY_LEN - 4)
		return false;
	memcpy(t->id, s + 4, KEY_ID_LEN);
	t->id[KEY_ID_LEN] = 0;
	t->hash = digest_sha256(secret, SECRET_LEN);
	return true;
}

static bool hash_matches(const struct db_rows *rows, int column, const struct digest *hash)
{
	size_t n;
	const void *stored = db_blob(rows, column, &n);

	return n == sizeof(hash->bytes) && bytes_equal_ct(stored, hash->bytes, n);
}

int key_check_user(const char *user, struct err *e)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.@-";
	size_t n = strlen(user);

	if (n == 0 || n > USER_MAX || strspn(user, allowed) != n || strchr("_.@-", user[0]))
		return err_set(
			e, EINVAL,
			"user: 1 to %d letters, digits, _ . @ -, the first one a letter or digit",
			USER_MAX);
	return 0;
}

int key_add(struct db *db, const struct key_spec *spec, char out_key[KEY_LEN + 1],
	    char out_id[KEY_ID_LEN + 1], struct err *e)
{
	struct token t;

	if (key_check_user(spec->user, e) < 0)
		return -1;
	token_new("crl_", out_key, &t);
	if (db_exec(db, e,
		    "INSERT INTO keys(id, hash, user, tier, admin, first_use, created_ms, expires_ms)"
		    " VALUES(?, ?, ?, ?, ?, ?, ?, nullif(?, 0))",
		    "tbttiiii", t.id, t.hash.bytes, sizeof(t.hash.bytes), spec->user,
		    spec->tier, (int64_t) spec->admin, (int64_t) spec->first_use,
		    (int64_t) clock_real_ms(), (int64_t) spec->expires_ms) < 0)
		return -1;
	memcpy(out_id, t.id, sizeof(t.id));
	return 0;
}

static void copy(char *dst, size_t n, const char *src)
{
	struct err ignored = ERR_NONE;

	/* The columns were checked when they were written; a cut one is merely not found. */
	if (str_copy(dst, n, src, "column", &ignored) < 0)
		dst[0] = 0;
}

int key_each(struct db *db, bool (*fn)(void *arg, const struct key_row *row), void *arg,
	     struct err *e)
{
	auto_rows struct db_rows rows = { 0 };
	int r = db_query(
		db, &rows, e,
		"SELECT id, user, tier, admin, first_use, created_ms, used_ms, expires_ms"
		" FROM keys ORDER BY created_ms, id",
		"");

	for (; r > 0; r = db_next(&rows, e)) {
		struct key_row row = {
			.admin = db_int(&rows, 3),
			.first_use = db_int(&rows, 4),
			.created_ms = db_int(&rows, 5),
			.used_ms = db_int(&rows, 6),
			.expires_ms = db_int(&rows, 7),
		};

		copy(row.id, sizeof(row.id), db_text(&rows, 0));
		copy(row.user, sizeof(row.user), db_text(&rows, 1));
		copy(row.tier, sizeof(row.tier), db_text(&rows, 2));
		if (!fn(arg, &row))
			return 0;
	}
	return r;
}

int key_remove(struct db *db, const char *id, struct err *e)
{
	return db_exec(db, e, "DELETE FROM keys WHERE id = ?", "t", id);
}

static void identity_fill(const struct db_rows *rows, int first, enum identity_via via,
			  struct identity *out)
{
	*out = (struct identity){ .via = via };
	copy(out->key_id, sizeof(out->key_id), db_text(rows, first));
	copy(out->user, sizeof(out->user), db_text(rows, first + 1));
	copy(out->tier_name, sizeof(out->tier_name), db_text(rows, first + 2));
	out->admin = db_int(rows, first + 3) != 0;
}

/* 1: the row's secret fits and it has not expired. */
static int find_key(struct db *db, const char *key, bool want_first_use, struct identity *out,
		    struct err *e)
{
	auto_rows struct db_rows rows = { 0 };
	struct token t;
	int r;

	if (!token_parse("crl_", key, &t))
		return 0;
	r = db_query(
		db, &rows, e,
		"SELECT hash, id, user, tier, admin FROM keys WHERE id = ? AND first_use = ?"
		" AND used_ms IS NULL AND (expires_ms IS NULL OR expires_ms > ?)",
		"tii", t.id, (int64_t) want_first_use, (int64_t) clock_real_ms());
	if (r <= 0)
		return r;
	if (!hash_matches(&rows, 0, &t.hash))
		return 0;
	identity_fill(&rows, 1, VIA_KEY, out);
	return 1;
}

int key_find(struct db *db, const char *key, struct identity *out, struct err *e)
{
	return find_key(db, key, false, out, e);
}

int key_valid(struct db *db, const char *id, struct err *e)
{
	auto_rows struct db_rows rows = { 0 };

	return db_query(db, &rows, e,
			"SELECT 1 FROM keys WHERE id = ?"
			" AND (first_use = 1 OR expires_ms IS NULL OR expires_ms > ?)",
			"ti", id, (int64_t) clock_real_ms());
}

/* Spends a first-use key: of several who try, one sees a changed row. */
static int find_first_use(struct db *db, const char *key, struct identity *out, struct err *e)
{
	int r = find_key(db, key, true, out, e);

	if (r <= 0)
		return r;
	return db_exec(db, e, "UPDATE keys SET used_ms = ? WHERE id = ? AND used_ms IS NULL",
		       "it", (int64_t) clock_real_ms(), out->key_id);
}

int session_new(struct db *db, const char *key, uint64_t lifetime_ms,
		char out_token[KEY_LEN + 1], struct identity *out, struct err *e)
{
	struct token t;
	int r = find_key(db, key, false, out, e);

	if (r == 0)
		r = find_first_use(db, key, out, e);
	if (r <= 0)
		return r;
	token_new("crs_", out_token, &t);
	out->via = VIA_COOKIE;
	return db_exec(db, e,
		       "INSERT INTO sessions(id, hash, key_id, expires_ms) VALUES(?, ?, ?, ?)",
		       "tbti", t.id, t.hash.bytes, sizeof(t.hash.bytes), out->key_id,
		       (int64_t) (clock_real_ms() + lifetime_ms));
}

int session_find(struct db *db, const char *token, struct identity *out, struct err *e)
{
	auto_rows struct db_rows rows = { 0 };
	struct token t;
	int r;

	if (!token_parse("crs_", token, &t))
		return 0;
	r = db_query(db, &rows, e,
		     "SELECT s.hash, k.id, k.user, k.tier, k.admin FROM sessions s"
		     " JOIN keys k ON k.id = s.key_id WHERE s.id = ? AND s.expires_ms > ?",
		     "ti", t.id, (int64_t) clock_real_ms());
	if (r <= 0)
		return r;
	if (!hash_matches(&rows, 0, &t.hash))
		return 0;
	identity_fill(&rows, 1, VIA_COOKIE, out);
	return 1;
}

int session_remove(struct db *db, const char *token, struct err *e)
{
	struct token t;

	if (!token_parse("crs_", token, &t))
		return 0;
	return db_exec(db, e, "DELETE FROM sessions WHERE id = ? AND hash = ?", "tb", t.id,
		       t.hash.bytes, sizeof(t.hash.bytes));
}

int keys_prune(struct db *db, struct err *e)
{
	int64_t now = (int64_t) clock_real_ms();

	if (db_exec(db, e, "DELETE FROM sessions WHERE expires_ms <= ?", "i", now) < 0)
		return -1;
	/* A spent first-use key stays as long as a session that came from it. */
	return db_exec(db, e,
		       "DELETE FROM keys WHERE first_use = 1 AND (used_ms IS NOT NULL OR"
		       " expires_ms <= ?) AND id NOT IN (SELECT key_id FROM sessions)",
		       "i", now);
}
