/* Records of a partition to lists of bytes, without a Python object for each message. */
#include "_librdkafka.h"

enum { ERR_PARTITION_EOF = -191, HEADER_BYTES = 5 };

typedef struct {
    int err;
    void *rkt;
    int32_t partition;
    void *payload;
    size_t len;
    void *key;
    size_t key_len;
    int64_t offset;
    void *private_data;
} message_t;

static void *(*queue_get_consumer)(void *);
static void (*queue_destroy)(void *);
static ssize_t (*consume_batch_queue)(void *, int, message_t **, size_t);
static void (*message_destroy)(message_t *);
static int64_t (*message_timestamp)(const message_t *, int *);
static int (*message_headers)(const message_t *, void **);
static const char *(*error_text)(int);

/* How confluent-kafka lets go of the interpreter while librdkafka works. Its callbacks, which librdkafka calls from
 * there when brokers are away, abort the process where it was let go of in another way. */
static void (*call_begin)(PyObject *consumer, void *state);
static int (*call_end)(PyObject *consumer, void *state);
enum { CALL_STATE_WORDS = 32 }; /* many times what its struct has */

static int bind_calls(void) {
    PyObject *client = PyImport_ImportModule("confluent_kafka.cimpl");
    PyObject *path = client ? PyModule_GetFilenameObject(client) : NULL;
    const char *text = path ? PyUnicode_AsUTF8(path) : NULL;
    void *lib = text ? dlopen(text, RTLD_NOW | RTLD_NOLOAD) : NULL;
    int found = lib && (*(void **)&call_begin = dlsym(lib, "CallState_begin")) &&
                (*(void **)&call_end = dlsym(lib, "CallState_end"));
    Py_XDECREF(path), Py_XDECREF(client);
    if (!found && !PyErr_Occurred()) PyErr_SetString(PyExc_ImportError, "confluent-kafka has no CallState_begin");
    return found;
}

static PyObject *load(PyObject *self, PyObject *args) {
    const symbol_t symbols[] = {
        {"rd_kafka_queue_get_consumer", (void **)&queue_get_consumer},
        {"rd_kafka_queue_destroy", (void **)&queue_destroy},
        {"rd_kafka_consume_batch_queue", (void **)&consume_batch_queue},
        {"rd_kafka_message_destroy", (void **)&message_destroy},
        {"rd_kafka_message_timestamp", (void **)&message_timestamp},
        {"rd_kafka_message_headers", (void **)&message_headers},
        {"rd_kafka_err2str", (void **)&error_text},
    };
    if (!bind_calls()) return NULL;
    return bind(args, symbols, sizeof symbols / sizeof *symbols, "Consumer");
}

typedef struct {
    PyObject *bodies, *keys, *headers, *offsets, *times_ms, *with_headers;
    Py_ssize_t count;
    int64_t position;
    int code;
} batch_t;

static int append(PyObject *list, const void *data, size_t size) {
    PyObject *bytes = PyBytes_FromStringAndSize(data, (Py_ssize_t)size);
    int failed = !bytes || PyList_Append(list, bytes);
    Py_XDECREF(bytes);
    return !failed;
}

/* One more value with the header before it, or the first one with another. */
static int count_header(PyObject *headers, const char *header, size_t size) {
    Py_ssize_t last = PyList_GET_SIZE(headers) - 2;
    PyObject *known = last < 0 ? NULL : PyList_GET_ITEM(headers, last);
    if (known && PyBytes_GET_SIZE(known) == (Py_ssize_t)size && !memcmp(PyBytes_AS_STRING(known), header, size)) {
        PyObject *more = PyLong_FromLong(PyLong_AsLong(PyList_GET_ITEM(headers, last + 1)) + 1);
        return more && !PyList_SetItem(headers, last + 1, more);
    }
    PyObject *one = PyLong_FromLong(1);
    int is_done = one && append(headers, header, size) && !PyList_Append(headers, one);
    Py_XDECREF(one);
    return is_done;
}

/* Whether there was room to note a message that has headers of Kafka's, or it has none. */
static int note_headers(PyObject *with_headers, const message_t *message) {
    void *headers;
    if (message_headers(message, &headers)) return 1;
    PyObject *offset = PyLong_FromLongLong(message->offset);
    int failed = !offset || PyList_Append(with_headers, offset);
    Py_XDECREF(offset);
    return !failed;
}

static int take(batch_t *batch, const message_t *message) {
    int kind;
    if (message->err) {
        if (message->err != ERR_PARTITION_EOF) batch->code = batch->code ? batch->code : message->err;
        else batch->position = message->offset;
        return 1;
    }
    size_t header = message->len < HEADER_BYTES ? message->len : HEADER_BYTES;
    const char *value = message->payload ? message->payload : "";
    ((int64_t *)PyBytes_AS_STRING(batch->times_ms))[batch->count] = message_timestamp(message, &kind);
    ((int64_t *)PyBytes_AS_STRING(batch->offsets))[batch->count++] = message->offset;
    batch->position = message->offset + 1;
    return append(batch->bodies, value + header, message->len - header) &&
           append(batch->keys, message->key ? message->key : "", message->key_len) &&
           count_header(batch->headers, value, header) && note_headers(batch->with_headers, message);
}

PyDoc_STRVAR(consume_doc,
"consume(consumer, most, timeout_ms) -> (headers, bodies, keys, offsets, times_ms, with_headers, position, error, text)\n\n"
"What has come of a partition that the consumer was assigned. Values are cut behind their first five bytes: `headers`\n"
"is a flat list of such a beginning and how many bodies have it, in their order. `offsets` and `times_ms` (Kafka's\n"
"timestamps) are the bytes of int64s; `with_headers` are the offsets of messages that have headers of Kafka's.\n"
"`position` is where to go on, -1 where nothing came; `error` is 0, or the code of the first error, with its text.");

static PyObject *consume(PyObject *self, PyObject *args) {
    PyObject *consumer, *result = NULL;
    Py_ssize_t most, taken, row = 0;
    int timeout_ms;
    if (!PyArg_ParseTuple(args, "Oni", &consumer, &most, &timeout_ms)) return NULL;
    void *rk = handle_of(consumer, TYPE_CONSUMER, "#consumer-");
    if (!rk) return PyErr_Format(PyExc_TypeError, "not an open confluent-kafka consumer with a known layout");
    message_t **messages = most > 0 ? PyMem_Calloc((size_t)most, sizeof *messages) : NULL;
    if (!messages) return most > 0 ? PyErr_NoMemory() : PyErr_Format(PyExc_ValueError, "%zd messages", most);
    void *state[CALL_STATE_WORDS] = {NULL};
    call_begin(consumer, state);
    void *queue = queue_get_consumer(rk);
    taken = consume_batch_queue(queue, timeout_ms, messages, (size_t)most);
    queue_destroy(queue);
    if (taken < 0) taken = 0;
    if (!call_end(consumer, state)) { /* a signal, such as Ctrl-C: the exception is set */
        while (row < taken) message_destroy(messages[row++]);
        PyMem_Free(messages);
        return NULL;
    }
    const Py_ssize_t width = sizeof(int64_t);
    batch_t batch = {PyList_New(0), PyList_New(0), PyList_New(0),
                     PyBytes_FromStringAndSize(NULL, taken * width), PyBytes_FromStringAndSize(NULL, taken * width),
                     PyList_New(0), 0, -1, 0};
    if (batch.bodies && batch.keys && batch.headers && batch.offsets && batch.times_ms && batch.with_headers)
        while (row < taken && take(&batch, messages[row])) row++;
    if (row == taken && !PyErr_Occurred() &&
        !_PyBytes_Resize(&batch.offsets, batch.count * width) && !_PyBytes_Resize(&batch.times_ms, batch.count * width))
        result = Py_BuildValue("OOOOOOLis", batch.headers, batch.bodies, batch.keys, batch.offsets, batch.times_ms,
                               batch.with_headers, (long long)batch.position, batch.code,
                               batch.code ? error_text(batch.code) : "");
    Py_XDECREF(batch.headers), Py_XDECREF(batch.bodies), Py_XDECREF(batch.keys), Py_XDECREF(batch.offsets);
    Py_XDECREF(batch.times_ms), Py_XDECREF(batch.with_headers);
    for (row = 0; row < taken; row++) message_destroy(messages[row]);
    PyMem_Free(messages);
    return result;
}

static PyMethodDef methods[] = {
    {"load", load, METH_VARARGS, "load(path): bind to the librdkafka that is loaded from the path."},
    {"consume", consume, METH_VARARGS, consume_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_consume", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__consume(void) { return PyModule_Create(&module); }
