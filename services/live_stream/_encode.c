/* Avro bodies of streamed rows, straight from their columns.
 *
 * A turn of the tape has some tens of rows, for which an encoder that is quick by the million spends all its time on
 * getting ready. What an instrument says in each of its records is encoded once, and copied here.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Avro's doubles are little-endian"
#endif

enum { MOST_PARTS = 64, LONGEST_NUMBER = 10 };

typedef struct {
    char code;
    const int64_t *values;  /* of a column */
    const int32_t *offsets; /* of pieces: by instrument */
    const char *data;
} part_t;

typedef struct {
    part_t parts[MOST_PARTS];
    int count;
    Py_buffer words, pieces[2 * MOST_PARTS];
    int held; /* of the pieces */
    const int64_t *instruments;
    Py_ssize_t rows, columns;
} plan_t;

static int refused(const char *why, int place) {
    PyErr_Format(PyExc_ValueError, "part or column %d %s", place, why);
    return 0;
}

static const int64_t *column(const plan_t *plan, int place) {
    if (place < 0 || place >= plan->columns) return refused("is not there", place), NULL;
    return (const int64_t *)plan->words.buf + place * plan->rows;
}

static const Py_buffer *buffer(plan_t *plan, PyObject *pieces, int place) {
    if (place >= PyTuple_GET_SIZE(pieces) || plan->held == 2 * MOST_PARTS) return refused("has no pieces", place), NULL;
    Py_buffer *found = &plan->pieces[plan->held];
    if (PyObject_GetBuffer(PyTuple_GET_ITEM(pieces, place), found, PyBUF_SIMPLE)) return NULL;
    plan->held++;
    return found;
}

static int pieces_of(plan_t *plan, part_t *part, PyObject *pieces, int place) {
    const Py_buffer *offsets = buffer(plan, pieces, 2 * place);
    const Py_buffer *data = offsets ? buffer(plan, pieces, 2 * place + 1) : NULL;
    if (!data) return 0;
    int64_t known = offsets->len / (Py_ssize_t)sizeof(int32_t) - 1;
    part->offsets = offsets->buf, part->data = data->buf;
    for (Py_ssize_t row = 0; row < plan->rows; row++) {
        int64_t one = plan->instruments[row];
        if (one < 0 || one >= known || part->offsets[one] < 0 || part->offsets[one] > part->offsets[one + 1] ||
            part->offsets[one + 1] > data->len)
            return refused("has no piece of an instrument", place);
    }
    return 1;
}

static int draw(plan_t *plan, Py_ssize_t columns, int instrument, const char *parts, Py_ssize_t size,
                PyObject *pieces) {
    if (size % 2 || size > 2 * MOST_PARTS) return refused("is not a pair of a code and a place", (int)size);
    if (columns < 1 || plan->words.len % (columns * (Py_ssize_t)sizeof(int64_t)))
        return refused("columns do not share the words", (int)columns);
    plan->columns = columns, plan->rows = plan->words.len / columns / (Py_ssize_t)sizeof(int64_t);
    if (!(plan->instruments = column(plan, instrument))) return 0;
    for (; plan->count < size / 2; plan->count++) {
        part_t *part = &plan->parts[plan->count];
        int place = (unsigned char)parts[2 * plan->count + 1];
        part->code = parts[2 * plan->count];
        if (part->code == 'p') {
            if (!pieces_of(plan, part, pieces, place)) return 0;
        } else if (part->code != 'n' && part->code != 'd')
            return refused("has an unknown code", plan->count);
        else if (!(part->values = column(plan, place)))
            return 0;
    }
    return 1;
}

static size_t piece_size(const part_t *part, int64_t instrument) {
    return (size_t)(part->offsets[instrument + 1] - part->offsets[instrument]);
}

static size_t most_bytes(const plan_t *plan) {
    size_t size = 0;
    for (int each = 0; each < plan->count; each++)
        for (Py_ssize_t row = 0; row < plan->rows; row++)
            size += plan->parts[each].code == 'p' ? piece_size(&plan->parts[each], plan->instruments[row])
                                                  : LONGEST_NUMBER;
    return size;
}

static char *put_number(char *out, int64_t value) { /* zigzag, seven bits a byte */
    uint64_t rest = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    for (; rest > 0x7f; rest >>= 7) *out++ = (char)(rest | 0x80);
    *out++ = (char)rest;
    return out;
}

static char *put(char *out, const part_t *part, Py_ssize_t row, int64_t instrument) {
    if (part->code == 'n') return put_number(out, part->values[row]);
    int is_piece = part->code == 'p';
    size_t size = is_piece ? piece_size(part, instrument) : sizeof(double);
    memcpy(out, is_piece ? part->data + part->offsets[instrument] : (const char *)&part->values[row], size);
    return out + size;
}

static PyObject *written(const plan_t *plan) {
    size_t most = most_bytes(plan);
    PyObject *offsets = PyBytes_FromStringAndSize(NULL, (plan->rows + 1) * (Py_ssize_t)sizeof(int32_t));
    PyObject *data = most < INT32_MAX ? PyBytes_FromStringAndSize(NULL, (Py_ssize_t)most) : PyErr_NoMemory();
    if (offsets && data) {
        int32_t *ends = (int32_t *)PyBytes_AS_STRING(offsets);
        char *begin = PyBytes_AS_STRING(data), *out = begin;
        *ends = 0;
        for (Py_ssize_t row = 0; row < plan->rows; row++) {
            for (int each = 0; each < plan->count; each++)
                out = put(out, &plan->parts[each], row, plan->instruments[row]);
            ends[row + 1] = (int32_t)(out - begin);
        }
        _PyBytes_Resize(&data, out - begin);
    }
    PyObject *result = offsets && data ? PyTuple_Pack(2, offsets, data) : NULL;
    Py_XDECREF(offsets);
    Py_XDECREF(data);
    return result;
}

PyDoc_STRVAR(encode_doc,
"encode(words, columns, instrument, parts, pieces) -> (offsets, data)\n\n"
"What the rows of a table say, as the buffers of a binary array. `words` are its columns, 64 bits a value, and\n"
"`instrument` is the place of the column that numbers the instruments. `parts` are two bytes each: `n` and the place\n"
"of a column of integers; `d` and that of one of doubles; `p` and the place of pieces, which are pairs of buffers by\n"
"instrument, offsets and data. Raise ValueError where a part is not there.");

static PyObject *encode(PyObject *self, PyObject *args) {
    PyObject *pieces, *result = NULL;
    const char *parts;
    Py_ssize_t columns, size;
    int instrument;
    plan_t plan;
    plan.count = plan.held = 0;
    if (!PyArg_ParseTuple(args, "y*niy#O!", &plan.words, &columns, &instrument, &parts, &size, &PyTuple_Type, &pieces))
        return NULL;
    if (draw(&plan, columns, instrument, parts, size, pieces)) result = written(&plan);
    while (plan.held) PyBuffer_Release(&plan.pieces[--plan.held]);
    PyBuffer_Release(&plan.words);
    return result;
}

static PyMethodDef methods[] = {{"encode", encode, METH_VARARGS, encode_doc}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_encode", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__encode(void) { return PyModule_Create(&module); }
