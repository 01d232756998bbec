/* Cuts the frames that a stream consists of into columns, without an object for each value.
 *
 * It knows quotes, trades and the running OHLC exactly as the terminal writes them: no white space, no escapes, plain
 * numbers, each documented key once and no other. Of anything else it says nothing, and the caller decodes the batch
 * by the book. So it need not know what is malformed, and both ways give the same.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum { MOST_FIELDS = 10, MOST_DIGITS = 15 };
#define DAY_MS 86400000

typedef struct { const char *name; size_t size; char code; } field_t; /* i: int32, q: int64, d: double */
#define FIELD(name, code) {name, sizeof name - 1, code}

typedef struct {
    const char *kind, *opening;
    int count; /* of fields; the date and the time of day are first */
    field_t fields[MOST_FIELDS];
} table_t;

static const table_t tables[] = {
    {"QUOTE", ",\"quote\":{", 10,
     {FIELD("date", 'i'), FIELD("ms_of_day", 'i'), FIELD("bid_size", 'q'), FIELD("bid_exchange", 'i'),
      FIELD("bid", 'd'), FIELD("bid_condition", 'i'), FIELD("ask_size", 'q'), FIELD("ask_exchange", 'i'),
      FIELD("ask", 'd'), FIELD("ask_condition", 'i')}},
    {"TRADE", ",\"trade\":{", 7,
     {FIELD("date", 'i'), FIELD("ms_of_day", 'i'), FIELD("sequence", 'q'), FIELD("condition", 'i'), FIELD("size", 'q'),
      FIELD("exchange", 'i'), FIELD("price", 'd')}},
    {"OHLC", ",\"ohlc\":{", 8, /* looked at, and passed over */
     {FIELD("date", 'i'), FIELD("ms_of_day", 'i'), FIELD("open", 'd'), FIELD("high", 'd'), FIELD("low", 'd'),
      FIELD("close", 'd'), FIELD("volume", 'q'), FIELD("count", 'q')}},
};
enum { QUOTE, TRADE, OHLC, TABLES };
enum { PLACE, RECEIVED_US, INSTRUMENT, TS_EVENT, HEAD }; /* the columns before a table's own */

typedef union { int64_t i; double d; } value_t;
typedef struct { int32_t place, number; int64_t utc_us; value_t values[MOST_FIELDS]; } row_t;

/* Each of these moves *at behind what it has read, or returns 0. `end` is where a NUL stands. */
static int is(const char **at, const char *text) {
    size_t size = strlen(text);
    if (strncmp(*at, text, size)) return 0;
    *at += size;
    return 1;
}

static int text(const char **at, const char **begin, size_t *size) {
    if (**at != '"') return 0;
    for (*begin = ++*at; **at != '"'; ++*at)
        if (**at < ' ' || **at > '~' || **at == '\\') return 0; /* NUL too */
    *size = (size_t)((*at)++ - *begin);
    return 1;
}

static int number(const char **at, char code, value_t *value) {
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13};
    int negative = **at == '-', fraction = 0, point = 0;
    const char *begin = *at += negative;
    int64_t whole = 0;
    for (;; ++*at) {
        if (**at >= '0' && **at <= '9')
            whole = whole * 10 + (**at - '0'), fraction += point;
        else if (**at == '.' && !point && *at > begin && code == 'd')
            point = 1;
        else
            break;
        if (*at - begin >= MOST_DIGITS) return 0;
    }
    if (*at - begin == 0 || (point && !fraction)) return 0;
    if (*begin == '0' && *at - begin > 1 && begin[1] != '.') return 0;
    if (code == 'd') {
        if (negative && !whole) return 0;
        /* Both are exact, so the quotient is the nearest double. */
        value->d = (double)(negative ? -whole : whole) / powers[fraction];
    } else {
        value->i = negative ? -whole : whole;
        if (code == 'i' && value->i != (int32_t)value->i) return 0;
    }
    return 1;
}

static int body(const char **at, const table_t *table, value_t *values) {
    unsigned seen = 0;
    for (;;) {
        const char *name;
        size_t size;
        if (!text(at, &name, &size) || *(*at)++ != ':') return 0;
        int field = 0;
        while (field < table->count &&
               (table->fields[field].size != size || memcmp(table->fields[field].name, name, size)))
            field++;
        if (field == table->count || seen & 1u << field || !number(at, table->fields[field].code, &values[field]))
            return 0;
        seen |= 1u << field;
        if (**at == ',')
            ++*at;
        else
            return is(at, "}}") && seen == (1u << table->count) - 1;
    }
}

/* The table of a frame, its contract's text and its row's values; NULL for what is not known. */
static const table_t *frame(const char *at, const char *end, const char **contract, size_t *size, value_t *values) {
    const table_t *table = NULL;
    if (!is(&at, "{\"header\":{")) return NULL;
    for (;; at++) {
        const char *name, *value;
        size_t name_size, value_size;
        if (!text(&at, &name, &name_size) || *at++ != ':' || !text(&at, &value, &value_size)) return NULL;
        if (name_size == 4 && !memcmp(name, "type", 4)) {
            if (table) return NULL;
            for (size_t each = 0; each < TABLES; each++)
                if (strlen(tables[each].kind) == value_size && !memcmp(tables[each].kind, value, value_size))
                    table = &tables[each];
            if (!table) return NULL;
        }
        if (*at != ',') break;
    }
    if (!table || !is(&at, "},\"contract\":")) return NULL;
    for (*contract = at; *at != '}'; at++)
        if (*at < ' ' || *at > '~') return NULL;
    *size = (size_t)(++at - *contract);
    return is(&at, table->opening) && body(&at, table, values) && at == end ? table : NULL;
}

static int int64_of(PyObject *found, int64_t *value) { /* steals */
    if (!found || found == Py_None) {
        Py_XDECREF(found);
        return 0;
    }
    *value = PyLong_AsLongLong(found);
    Py_DECREF(found);
    return !PyErr_Occurred();
}

static int midnight(PyObject *midnights, int64_t day, int64_t *utc_us) {
    PyObject *key = PyLong_FromLongLong(day);
    int known = key && int64_of(PyObject_GetItem(midnights, key), utc_us);
    Py_XDECREF(key);
    return known;
}

/* A table's columns one behind the other, 64 bits a value. */
static PyObject *columns(const table_t *table, const row_t *rows, Py_ssize_t count, PyObject *received_us) {
    size_t values = (size_t)(HEAD + table->count - 2);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(values * (size_t)count * sizeof(value_t)));
    if (!bytes) return NULL;
    value_t *out = (value_t *)PyBytes_AS_STRING(bytes);
    for (Py_ssize_t row = 0; row < count; row++) {
        PyObject *at = rows[row].place < PyList_GET_SIZE(received_us) ? PyList_GET_ITEM(received_us, rows[row].place)
                                                                     : Py_None;
        out[PLACE * count + row].i = rows[row].place;
        out[RECEIVED_US * count + row].i = PyLong_AsLongLong(at);
        out[INSTRUMENT * count + row].i = rows[row].number;
        out[TS_EVENT * count + row].i = rows[row].utc_us;
        for (int field = 2; field < table->count; field++)
            out[(HEAD + field - 2) * count + row] = rows[row].values[field];
    }
    if (!PyErr_Occurred()) return bytes;
    Py_DECREF(bytes);
    return NULL;
}

/* One row of a frame into `rows` of its table; 0 where the frame, its instrument or its day is not known. */
static int take(PyObject *bytes, int32_t place, PyObject *numbers, PyObject *midnights, row_t **rows,
                Py_ssize_t *counts) {
    if (!PyBytes_Check(bytes)) return 0;
    row_t row = {.place = place};
    const char *begin = PyBytes_AS_STRING(bytes), *contract;
    size_t size;
    const table_t *table = frame(begin, begin + PyBytes_GET_SIZE(bytes), &contract, &size, row.values);
    PyObject *key = table ? PyBytes_FromStringAndSize(contract, (Py_ssize_t)size) : NULL;
    if (!key) return 0;
    int64_t number = 0, day_us = 0, ms_of_day = row.values[1].i;
    int known;
    if (table == &tables[OHLC]) /* that alone makes no instrument known */
        known = PyDict_GetItemWithError(numbers, key) != NULL;
    else
        known = ms_of_day >= 0 && ms_of_day < DAY_MS && int64_of(PyObject_GetItem(numbers, key), &number) &&
                midnight(midnights, row.values[0].i, &day_us);
    Py_DECREF(key);
    row.number = (int32_t)number;
    row.utc_us = day_us + ms_of_day * 1000;
    if (known) rows[table - tables][counts[table - tables]++] = row;
    return known;
}

PyDoc_STRVAR(cut_doc,
"cut(frames, received_us, numbers, midnights) -> (quotes, trades, ohlc) | None\n\n"
"Quotes and trades as the bytes of `Table.words`, and how many running OHLC there were. `numbers` gives an instrument's\n"
"number by its contract's text, `midnights` the UTC microseconds of a day's beginning; what they raise is passed on.\n"
"None: there is a frame that this does not know, or a day on which the clocks change.");

static PyObject *cut(PyObject *self, PyObject *args) {
    PyObject *frames, *received_us, *numbers, *midnights, *result = NULL;
    if (!PyArg_ParseTuple(args, "O!O!O!O", &PyList_Type, &frames, &PyList_Type, &received_us, &PyDict_Type, &numbers,
                          &midnights))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(frames), place = 0, counts[TABLES] = {0};
    row_t *rows[TABLES], *all = malloc(((size_t)count + 1) * TABLES * sizeof *all);
    if (!all) return PyErr_NoMemory();
    for (int table = 0; table < TABLES; table++) rows[table] = all + table * count;
    while (place < count && place < PyList_GET_SIZE(frames) &&
           take(PyList_GET_ITEM(frames, place), (int32_t)place, numbers, midnights, rows, counts))
        place++;
    if (place == count) {
        PyObject *quotes = columns(&tables[QUOTE], rows[QUOTE], counts[QUOTE], received_us);
        PyObject *trades = quotes ? columns(&tables[TRADE], rows[TRADE], counts[TRADE], received_us) : NULL;
        if (trades) result = Py_BuildValue("OOn", quotes, trades, counts[OHLC]);
        Py_XDECREF(quotes);
        Py_XDECREF(trades);
    } else if (!PyErr_Occurred())
        result = Py_NewRef(Py_None);
    free(all);
    return result;
}

static PyMethodDef methods[] = {{"cut", cut, METH_VARARGS, cut_doc}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_cut", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__cut(void) { return PyModule_Create(&module); }
