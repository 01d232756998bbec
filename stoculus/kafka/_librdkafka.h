/* What the loops share: the librdkafka that the confluent-kafka wheel brings, and the clients that it made.
 *
 * Declarations are librdkafka's public, stable ABI (rdkafka.h).
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

enum { TYPE_PRODUCER = 0, TYPE_CONSUMER = 1 };

static const char *(*client_name)(const void *);
static int (*client_type)(const void *);
static PyTypeObject *python_type;

typedef struct { const char *name; void **function; } symbol_t;

/* Bind to the functions, and to confluent-kafka's class. Nothing is bound where one is missing. */
static PyObject *bind(PyObject *args, const symbol_t *symbols, size_t count, const char *class_name) {
    const char *path;
    if (!PyArg_ParseTuple(args, "s", &path)) return NULL;
    /* RTLD_NOLOAD: only the very library that confluent-kafka has loaded will do. */
    void *lib = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    int found = lib && (*(void **)&client_name = dlsym(lib, "rd_kafka_name")) &&
                (*(void **)&client_type = dlsym(lib, "rd_kafka_type"));
    for (size_t each = 0; found && each < count; each++)
        found = (*symbols[each].function = dlsym(lib, symbols[each].name)) != NULL;
    if (!found) return PyErr_Format(PyExc_ImportError, "no loaded librdkafka with the needed symbols at %s", path);
    PyObject *client = PyImport_ImportModule("confluent_kafka.cimpl");
    PyObject *type = client ? PyObject_GetAttrString(client, class_name) : NULL;
    Py_XDECREF(client);
    if (!type) return NULL;
    Py_XSETREF(python_type, (PyTypeObject *)type);
    Py_RETURN_NONE;
}

/* confluent-kafka keeps the handle right behind PyObject_HEAD. */
static void *handle_of(PyObject *client, int type, const char *mark) {
    if (!python_type || !PyObject_TypeCheck(client, python_type)) return NULL;
    if (Py_TYPE(client)->tp_basicsize < (Py_ssize_t)(sizeof(PyObject) + sizeof(void *))) return NULL;
    void *rk = *(void **)((char *)client + sizeof(PyObject));
    if (!rk || client_type(rk) != type) return NULL;
    const char *name = client_name(rk);
    return name && strstr(name, mark) ? rk : NULL;
}
