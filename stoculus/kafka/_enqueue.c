/* The produce loop without Python: walks Arrow buffers and hands each row to librdkafka.
 *
 * It calls the librdkafka that the confluent-kafka wheel brings, on the producer that confluent-kafka made, so that
 * transactions, errors and closing stay with confluent-kafka.
 */
#include "_librdkafka.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

enum {
    VTYPE_RKT = 2, VTYPE_PARTITION = 3, VTYPE_VALUE = 4, VTYPE_KEY = 5, VTYPE_MSGFLAGS = 7, VTYPE_TIMESTAMP = 8,
    VTYPE_HEADER = 9
};
enum { MSG_F_COPY = 0x2 };

typedef struct {
    int vtype;
    union {
        void *rkt;
        int i;
        int32_t i32;
        int64_t i64;
        struct { void *ptr; size_t size; } mem;
        struct { const char *name; const void *val; ssize_t size; } header;
        char pad[64];
    } u;
} vu_t;

static void *(*topic_new)(void *, const char *, void *);
static void (*topic_destroy)(void *);
static void *(*produceva)(void *, const vu_t *, size_t);
static int (*error_code)(const void *);
static void (*error_destroy)(void *);
static int (*last_error)(void);

static PyObject *load(PyObject *self, PyObject *args) {
    const symbol_t symbols[] = {
        {"rd_kafka_topic_new", (void **)&topic_new},   {"rd_kafka_topic_destroy", (void **)&topic_destroy},
        {"rd_kafka_produceva", (void **)&produceva},   {"rd_kafka_error_code", (void **)&error_code},
        {"rd_kafka_error_destroy", (void **)&error_destroy}, {"rd_kafka_last_error", (void **)&last_error},
    };
    return bind(args, symbols, sizeof symbols / sizeof *symbols, "Producer");
}

/* What both loops are given: Arrow buffers, one key for all rows or a key a row. */
typedef struct {
    Py_buffer header, key, key_offsets, key_data, offsets, data, timestamps;
} rows_t;

static void release(rows_t *rows) {
    PyBuffer_Release(&rows->header), PyBuffer_Release(&rows->key), PyBuffer_Release(&rows->key_offsets);
    PyBuffer_Release(&rows->key_data), PyBuffer_Release(&rows->offsets), PyBuffer_Release(&rows->data);
    PyBuffer_Release(&rows->timestamps);
}

static int holds(const Py_buffer *buffer, Py_ssize_t count, size_t size) {
    return buffer->buf && buffer->len >= (Py_ssize_t)((size_t)count * size);
}

static int fit(const rows_t *rows, Py_ssize_t start, Py_ssize_t stop) {
    if (start < 0 || start > stop || !holds(&rows->offsets, stop + 1, sizeof(int32_t)) ||
        !holds(&rows->timestamps, stop, sizeof(int64_t)) || ((int32_t *)rows->offsets.buf)[stop] > rows->data.len)
        return 0;
    return rows->key.buf || (holds(&rows->key_offsets, stop + 1, sizeof(int32_t)) &&
                             ((int32_t *)rows->key_offsets.buf)[stop] <= rows->key_data.len);
}

static PyObject *too_short(Py_ssize_t stop) {
    return PyErr_Format(PyExc_ValueError, "the buffers are shorter than %zd rows", stop);
}

static PyObject *no_producer(void) {
    return PyErr_Format(PyExc_TypeError, "not a confluent-kafka producer with a known layout");
}

enum { RKT, PARTITION, MSGFLAGS, VALUE, KEY, TIMESTAMP, HEADERS, VUS = HEADERS + 2 };

typedef struct {
    void *rk;
    const rows_t *rows;
    vu_t vus[VUS];
    size_t vu_count;
    char *scratch;
    size_t scratch_size;
} loop_t;

static void begin(loop_t *loop, void *rk, int partition, const rows_t *rows) {
    memset(loop, 0, sizeof *loop);
    loop->rk = rk, loop->rows = rows, loop->vu_count = HEADERS;
    vu_t *vus = loop->vus;
    vus[RKT].vtype = VTYPE_RKT;
    vus[PARTITION].vtype = VTYPE_PARTITION, vus[PARTITION].u.i32 = partition;
    vus[MSGFLAGS].vtype = VTYPE_MSGFLAGS, vus[MSGFLAGS].u.i = MSG_F_COPY;
    vus[VALUE].vtype = VTYPE_VALUE;
    vus[KEY].vtype = VTYPE_KEY, vus[KEY].u.mem.ptr = rows->key.buf;
    vus[KEY].u.mem.size = rows->key.buf ? (size_t)rows->key.len : 0;
    vus[TIMESTAMP].vtype = VTYPE_TIMESTAMP;
}

static int produce_row(loop_t *loop, Py_ssize_t row) {
    const rows_t *rows = loop->rows;
    const int32_t *offsets = rows->offsets.buf, *key_offsets = rows->key_offsets.buf;
    vu_t *vus = loop->vus;
    size_t length = (size_t)(offsets[row + 1] - offsets[row]), size = (size_t)rows->header.len + length;
    if (size > loop->scratch_size) {
        char *grown = realloc(loop->scratch, size * 2);
        if (!grown) return -1;
        loop->scratch = grown;
        loop->scratch_size = size * 2;
    }
    memcpy(loop->scratch, rows->header.buf, (size_t)rows->header.len);
    memcpy(loop->scratch + rows->header.len, (char *)rows->data.buf + offsets[row], length);
    vus[VALUE].u.mem.ptr = loop->scratch;
    vus[VALUE].u.mem.size = size;
    if (!rows->key.buf) {
        vus[KEY].u.mem.ptr = (char *)rows->key_data.buf + key_offsets[row];
        vus[KEY].u.mem.size = (size_t)(key_offsets[row + 1] - key_offsets[row]);
    }
    vus[TIMESTAMP].u.i64 = ((int64_t *)rows->timestamps.buf)[row] / 1000;
    void *error = produceva(loop->rk, vus, loop->vu_count);
    if (!error) return 0;
    int code = error_code(error);
    error_destroy(error);
    return code;
}

PyDoc_STRVAR(enqueue_doc,
"enqueue(producer, topic, partition, header, key, key_offsets, key_data, offsets, data, timestamps_us, start, stop)\n"
"-> (next, error)\n\n"
"Hand rows start..stop-1 to the producer. `next` is the first row not taken; `error` is 0, or librdkafka's code\n"
"(_QUEUE_FULL: poll and call again from `next`). `key` is one key for all rows; where it is None, the buffers are.");

static PyObject *enqueue(PyObject *self, PyObject *args) {
    PyObject *producer;
    const char *topic;
    int partition, code = 0;
    Py_ssize_t row, stop;
    rows_t rows;
    if (!PyArg_ParseTuple(args, "Osiy*z*z*z*y*y*y*nn", &producer, &topic, &partition, &rows.header, &rows.key,
                          &rows.key_offsets, &rows.key_data, &rows.offsets, &rows.data, &rows.timestamps, &row, &stop))
        return NULL;
    void *rk = handle_of(producer, TYPE_PRODUCER, "#producer-");
    int fits = fit(&rows, row, stop);
    void *rkt = rk && fits ? topic_new(rk, topic, NULL) : NULL;
    if (rkt) {
        Py_BEGIN_ALLOW_THREADS
        loop_t loop;
        begin(&loop, rk, partition, &rows);
        loop.vus[RKT].u.rkt = rkt;
        for (; row < stop; row++)
            if ((code = produce_row(&loop, row))) break;
        free(loop.scratch);
        topic_destroy(rkt);
        Py_END_ALLOW_THREADS
    }
    release(&rows);
    if (!fits) return too_short(stop);
    if (!rkt) return no_producer();
    return Py_BuildValue("ni", row, code);
}

/* The names of the topics that occur, as long as `topics` lives; NULL with an exception where a row has none. */
static const char **names_of(PyObject *topics, const int32_t *topic_of, Py_ssize_t rows) {
    Py_ssize_t count = PyTuple_GET_SIZE(topics);
    const char **names = calloc((size_t)count + 1, sizeof *names);
    if (!names) return (const char **)PyErr_NoMemory();
    for (Py_ssize_t row = 0; row < rows; row++) {
        int32_t place = topic_of[row];
        if (place == -1 || (place >= 0 && place < count && names[place])) continue;
        if (place < 0 || place >= count)
            PyErr_Format(PyExc_ValueError, "there is no topic %d", (int)place);
        else
            names[place] = PyUnicode_AsUTF8(PyTuple_GET_ITEM(topics, place));
        if (PyErr_Occurred()) {
            free(names);
            return NULL;
        }
    }
    return names;
}

typedef struct {
    const char **names;
    void **rkts; /* made when first met */
    Py_ssize_t count;
    const int32_t *topic_of;
    const int64_t *ingest_us;
    const char *origin;
    Py_ssize_t origin_size;
} live_t;

static Py_ssize_t produce_live(void *rk, const rows_t *rows, const live_t *live, Py_ssize_t stop, int *used, int *code) {
    loop_t loop;
    begin(&loop, rk, 0, rows);
    loop.vu_count = VUS;
    char ingest[24];
    vu_t *of_ingest = &loop.vus[HEADERS], *of_origin = &loop.vus[HEADERS + 1];
    of_ingest->vtype = of_origin->vtype = VTYPE_HEADER;
    of_ingest->u.header.name = "ingest_us", of_ingest->u.header.val = ingest;
    of_origin->u.header.name = "origin", of_origin->u.header.val = live->origin;
    of_origin->u.header.size = live->origin_size;
    Py_ssize_t row = 0;
    for (; row < stop; row++) {
        int32_t place = live->topic_of[row];
        if (place == -1) continue;
        int is_first = !live->rkts[place];
        if (is_first && !(live->rkts[place] = topic_new(rk, live->names[place], NULL))) {
            *code = last_error();
            break;
        }
        loop.vus[RKT].u.rkt = live->rkts[place];
        of_ingest->u.header.size = snprintf(ingest, sizeof ingest, "%lld", (long long)live->ingest_us[row]);
        if ((*code = produce_row(&loop, row))) break;
        *used += is_first;
    }
    free(loop.scratch);
    for (Py_ssize_t place = 0; place < live->count; place++)
        if (live->rkts[place]) topic_destroy(live->rkts[place]);
    return row;
}

PyDoc_STRVAR(enqueue_live_doc,
"enqueue_live(producer, topics, topic_of, header, key_offsets, key_data, offsets, data, timestamps_us, ingest_us,\n"
"origin, stop) -> (next, topics, error)\n\n"
"Hand rows 0..stop-1 to the producer, each to partition 0 of its topic, with the headers `ingest_us` and `origin`;\n"
"a row whose topic is -1 is passed over. `next` and `error` are those of `enqueue`; the rows are on so many `topics`.");

static PyObject *enqueue_live(PyObject *self, PyObject *args) {
    PyObject *producer, *topics, *result = NULL;
    Py_ssize_t stop, next = 0;
    int used = 0, code = 0;
    rows_t rows;
    Py_buffer topic_of, ingest_us;
    live_t live;
    memset(&rows, 0, sizeof rows);
    if (!PyArg_ParseTuple(args, "OO!y*y*y*z*y*y*y*y*y#n", &producer, &PyTuple_Type, &topics, &topic_of, &rows.header,
                          &rows.key_offsets, &rows.key_data, &rows.offsets, &rows.data, &rows.timestamps, &ingest_us,
                          &live.origin, &live.origin_size, &stop))
        return NULL;
    void *rk = handle_of(producer, TYPE_PRODUCER, "#producer-");
    live.count = PyTuple_GET_SIZE(topics);
    live.topic_of = topic_of.buf, live.ingest_us = ingest_us.buf;
    live.names = NULL, live.rkts = NULL;
    if (!rk)
        no_producer();
    else if (!fit(&rows, 0, stop) || !holds(&topic_of, stop, sizeof(int32_t)) ||
             !holds(&ingest_us, stop, sizeof(int64_t)))
        too_short(stop);
    else if ((live.names = names_of(topics, live.topic_of, stop)) &&
             !(live.rkts = calloc((size_t)live.count + 1, sizeof *live.rkts)))
        PyErr_NoMemory();
    if (live.rkts) {
        Py_BEGIN_ALLOW_THREADS
        next = produce_live(rk, &rows, &live, stop, &used, &code);
        Py_END_ALLOW_THREADS
        result = Py_BuildValue("nii", next, used, code);
    }
    free(live.names), free(live.rkts);
    release(&rows), PyBuffer_Release(&topic_of), PyBuffer_Release(&ingest_us);
    return result;
}

static PyMethodDef methods[] = {
    {"load", load, METH_VARARGS, "load(path): bind to the librdkafka that is loaded from the path."},
    {"enqueue", enqueue, METH_VARARGS, enqueue_doc},
    {"enqueue_live", enqueue_live, METH_VARARGS, enqueue_live_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_enqueue", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__enqueue(void) { return PyModule_Create(&module); }
