// Reads a table that Python sent with rdit_core.data.encode_data. No dependencies: put it into a widget's module.

/**
 * The columns of a table, as arrays.
 *
 *     const { rows, columns } = readData(model.get("data"));
 *     columns.price[0];
 *
 * number: a typed array, NaN where a value is missing. boolean, string, category: values, null where one is missing.
 * datetime, date: a Float64Array of milliseconds since the epoch (`new Date(ms)`), NaN where one is missing; duration:
 * likewise, of milliseconds. bigint: BigInt or null. json: any value.
 *
 * @param {any} data what `model.get("data")` returned; null is a table without columns
 * @returns {{ rows: number, total: number, columns: Record<string, any>, fields: { name: string, type: string }[] }}
 *   `total` is how many rows there were before Python drew a sample; `fields` are the columns without their values, in order
 */
function readData(data) {
  const columns = Object.create(null);
  const fields = [];
  const typed = {
    float64: Float64Array,
    float32: Float32Array,
    int32: Int32Array,
    uint32: Uint32Array,
    int16: Int16Array,
    uint16: Uint16Array,
    int8: Int8Array,
    uint8: Uint8Array,
  };
  // Copied: a typed array begins at a multiple of its size, and a part of a frame begins anywhere.
  const read = (part, dtype) => {
    const { buffer, byteOffset, byteLength } = ArrayBuffer.isView(part) ? part : new DataView(part);
    return new typed[dtype](buffer.slice(byteOffset, byteOffset + byteLength));
  };
  for (const column of data?.columns ?? []) {
    const { name, values, codes, ...field } = column;
    fields.push({ name, ...field });
    if (field.type === "number") columns[name] = read(values, field.dtype);
    else if (field.type === "category") {
      columns[name] = Array.from(read(codes, "int32"), (code) => (code < 0 ? null : field.categories[code]));
    } else if (field.type === "bigint") columns[name] = values.map((text) => (text === null ? null : BigInt(text)));
    else if (["datetime", "date", "duration"].includes(field.type)) columns[name] = read(values, "float64");
    else columns[name] = values;
  }
  return { rows: data?.rows ?? 0, total: data?.total ?? 0, columns, fields };
}

/**
 * The rows of a table, as objects: for code that wants `row.price`. Dates and points in time are Date objects, null
 * where one is missing; everything else is as in the columns.
 *
 * @param {any} data as for `readData`
 * @returns {Record<string, any>[]}
 */
function readRecords(data) {
  const { rows, columns, fields } = readData(data);
  const records = Array.from({ length: rows }, () => Object.create(null));
  for (const { name, type } of fields) {
    const isTime = type === "datetime" || type === "date";
    records.forEach((record, row) => {
      const value = columns[name][row];
      record[name] = !isTime ? value : Number.isNaN(value) ? null : new Date(value);
    });
  }
  return records;
}
