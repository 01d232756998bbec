/* The produce loop without Python: walks Arrow buffers and hands each row to librdkafka.
 *
 * It calls the librdkafka that the confluent-kafka wheel brings, on the producer that confluent-kafka made, so that
 * transactions, errors and closing stay with confluent-kafka. Declarations below are librdkafka's public, stable ABI
 * (rdkafka.h: rd_kafka_vtype_t, rd_kafka_vu_t, rd_kafka_produceva).
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

enum { VTYPE_RKT = 2, VTYPE_PARTITION = 3, VTYPE_VALUE = 4, VTYPE_KEY = 5, VTYPE_MSGFLAGS = 7, VTYPE_TIMESTAMP = 8 };
enum { MSG_F_COPY = 0x2, ERR_QUEUE_FULL = -184, TYPE_PRODUCER = 0 };

typedef struct {
    int vtype;
    union {
        void *rkt;
        int i;
        int32_t i32;
        int64_t i64;
        struct { void *ptr; size_t size; } mem;
        char pad[64];
    } u;
} vu_t;

static void *(*topic_new)(void *, const char *, void *);
static void (*topic_destroy)(void *);
static void *(*produceva)(void *, const vu_t *, size_t);
static int (*error_code)(const void *);
static void (*error_destroy)(void *);
static const char *(*client_name)(const void *);
static int (*client_type)(const void *);
static PyTypeObject *producer_type;

static PyObject *load(PyObject *self, PyObject *args) {
    const char *path;
    if (!PyArg_ParseTuple(args, "s", &path)) return NULL;
    /* RTLD_NOLOAD: only the very library that confluent-kafka has loaded will do. */
    void *lib = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (lib) {
        *(void **)&topic_new = dlsym(lib, "rd_kafka_topic_new");
        *(void **)&topic_destroy = dlsym(lib, "rd_kafka_topic_destroy");
        *(void **)&produceva = dlsym(lib, "rd_kafka_produceva");
        *(void **)&error_code = dlsym(lib, "rd_kafka_error_code");
        *(void **)&error_destroy = dlsym(lib, "rd_kafka_error_destroy");
        *(void **)&client_name = dlsym(lib, "rd_kafka_name");
        *(void **)&client_type = dlsym(lib, "rd_kafka_type");
    }
    if (!lib || !topic_new || !topic_destroy || !produceva || !error_code || !error_destroy || !client_name ||
        !client_type) {
        produceva = NULL;
        return PyErr_Format(PyExc_ImportError, "no loaded librdkafka with the needed symbols at %s", path);
    }
    PyObject *client = PyImport_ImportModule("confluent_kafka.cimpl");
    PyObject *type = client ? PyObject_GetAttrString(client, "Producer") : NULL;
    Py_XDECREF(client);
    if (!type) {
        produceva = NULL;
        return NULL;
    }
    Py_XSETREF(producer_type, (PyTypeObject *)type);
    Py_RETURN_NONE;
}

/* confluent-kafka keeps the handle right behind PyObject_HEAD. */
static void *handle_of(PyObject *producer) {
    if (!PyObject_TypeCheck(producer, producer_type)) return NULL;
    if (Py_TYPE(producer)->tp_basicsize < (Py_ssize_t)(sizeof(PyObject) + sizeof(void *))) return NULL;
    void *rk = *(void **)((char *)producer + sizeof(PyObject));
    if (!rk || client_type(rk) != TYPE_PRODUCER) return NULL;
    const char *name = client_name(rk);
    return name && strstr(name, "#producer-") ? rk : NULL;
}

typedef struct {
    const int32_t *offsets;
    const char *data;
} column_t;

static int produce_row(void *rk, vu_t *vus, char **scratch, size_t *scratch_size, const Py_buffer *header,
                       const column_t *keys, const column_t *values, const int64_t *ts_us, Py_ssize_t row) {
    size_t length = (size_t)(values->offsets[row + 1] - values->offsets[row]);
    size_t size = (size_t)header->len + length;
    if (size > *scratch_size) {
        char *grown = realloc(*scratch, size * 2);
        if (!grown) return -1;
        *scratch = grown;
        *scratch_size = size * 2;
    }
    memcpy(*scratch, header->buf, (size_t)header->len);
    memcpy(*scratch + header->len, values->data + values->offsets[row], length);
    vus[3].u.mem.ptr = *scratch;
    vus[3].u.mem.size = size;
    if (keys->offsets) {
        vus[4].u.mem.ptr = (void *)(keys->data + keys->offsets[row]);
        vus[4].u.mem.size = (size_t)(keys->offsets[row + 1] - keys->offsets[row]);
    }
    vus[5].u.i64 = ts_us[row] / 1000;
    void *error = produceva(rk, vus, 6);
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
    Py_ssize_t start, stop, row;
    Py_buffer header, key, key_offsets, key_data, offsets, data, timestamps;
    if (!PyArg_ParseTuple(args, "Osiy*z*z*z*y*y*y*nn", &producer, &topic, &partition, &header, &key, &key_offsets,
                          &key_data, &offsets, &data, &timestamps, &start, &stop))
        return NULL;
    void *rk = produceva ? handle_of(producer) : NULL;
    int fits = start >= 0 && start <= stop && offsets.len >= (Py_ssize_t)((stop + 1) * sizeof(int32_t)) &&
               timestamps.len >= (Py_ssize_t)(stop * sizeof(int64_t)) &&
               (key.buf || (key_offsets.buf && key_offsets.len >= (Py_ssize_t)((stop + 1) * sizeof(int32_t)))) &&
               ((const int32_t *)offsets.buf)[stop] <= data.len &&
               (key.buf || ((const int32_t *)key_offsets.buf)[stop] <= key_data.len);
    void *rkt = rk && fits ? topic_new(rk, topic, NULL) : NULL;
    row = start;
    if (rkt) {
        Py_BEGIN_ALLOW_THREADS
        column_t keys = {key.buf ? NULL : key_offsets.buf, key_data.buf};
        column_t values = {offsets.buf, data.buf};
        char *scratch = NULL;
        size_t scratch_size = 0;
        vu_t vus[6];
        memset(vus, 0, sizeof vus);
        vus[0].vtype = VTYPE_RKT, vus[0].u.rkt = rkt;
        vus[1].vtype = VTYPE_PARTITION, vus[1].u.i32 = partition;
        vus[2].vtype = VTYPE_MSGFLAGS, vus[2].u.i = MSG_F_COPY;
        vus[3].vtype = VTYPE_VALUE;
        vus[4].vtype = VTYPE_KEY, vus[4].u.mem.ptr = key.buf, vus[4].u.mem.size = key.buf ? (size_t)key.len : 0;
        vus[5].vtype = VTYPE_TIMESTAMP;
        for (; row < stop; row++) {
            code = produce_row(rk, vus, &scratch, &scratch_size, &header, &keys, &values, timestamps.buf, row);
            if (code) break;
        }
        free(scratch);
        topic_destroy(rkt);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&header), PyBuffer_Release(&key), PyBuffer_Release(&key_offsets), PyBuffer_Release(&key_data);
    PyBuffer_Release(&offsets), PyBuffer_Release(&data), PyBuffer_Release(&timestamps);
    if (!fits) return PyErr_Format(PyExc_ValueError, "the buffers are shorter than %zd rows", stop);
    if (!rkt) return PyErr_Format(PyExc_TypeError, "not a confluent-kafka producer with a known layout");
    return Py_BuildValue("ni", row, code);
}

static PyMethodDef methods[] = {
    {"load", load, METH_VARARGS, "load(path): bind to the librdkafka that is loaded from the path."},
    {"enqueue", enqueue, METH_VARARGS, enqueue_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_enqueue", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__enqueue(void) { return PyModule_Create(&module); }
