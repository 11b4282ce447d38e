// Holds DuckDB and hyparquet against a file of our writer: check.mjs FILE EXPECTED.jsonl (both by parquet_sample).
// Same rows, types and statistics; bloom filters and row group statistics keep DuckDB from reading.
import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, readColumnIndex } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

const [file, expectedFile] = process.argv.slice(2)
const lines = readFileSync(expectedFile, 'utf8').trimEnd().split('\n').map(l => JSON.parse(l))
const { columns, groups } = lines[0]
const rows = lines.slice(1)

const TYPES = {
  ts: 'TIMESTAMP WITH TIME ZONE', seq: 'BIGINT', call_id: 'VARCHAR', method: 'VARCHAR', status: 'USMALLINT',
  flag: 'BOOLEAN', mos: 'DOUBLE', address: 'BLOB', long_text: 'VARCHAR', u32: 'UINTEGER', u64: 'UBIGINT',
  nothing: 'VARCHAR', steps: 'INTEGER', same: 'INTEGER', i8: 'TINYINT', u16: 'USMALLINT', payload: 'BLOB',
}

const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
const db = await instance.connect()
const quoted = `'${file.replaceAll("'", "''")}'`
const query = async sql => (await db.runAndReadAll(sql)).getRowsJson()
await query('SET enable_external_file_cache=false')
await query('SET parquet_metadata_cache=false').catch(() => {})

// Compares value by value: one assert for a whole row is slow when it holds.
function sameRows(who, got) {
  assert.equal(got.length, rows.length, `${who}: number of rows`)
  for (let i = 0; i < rows.length; i++)
    for (let c = 0; c < columns.length; c++)
      if (got[i][c] !== rows[i][c])
        assert.fail(`${who}: row ${i}, ${columns[c].name}: ${got[i][c]} instead of ${rows[i][c]}`)
  console.log(`${who}: ${rows.length} rows are the same`)
}

// Order of the expected values of a kind.
const order = { time: (a, b) => Number(BigInt(a) - BigInt(b)), int: (a, b) => (BigInt(a) < BigInt(b) ? -1 : 1),
  double: (a, b) => a - b, text: (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)) }

// ---- DuckDB: rows and types ----
const asText = { time: c => `epoch_us(${c})::VARCHAR`, int: c => `${c}::VARCHAR`, octets: c => `hex(${c})` }
const list = columns.map(c => (asText[c.kind] ?? (x => x))(c.name)).join(', ')
sameRows('DuckDB', await query(`SELECT ${list} FROM read_parquet(${quoted}, file_row_number = true)
  ORDER BY file_row_number`))
for (const [name, type] of await query(`DESCRIBE SELECT * FROM ${quoted}`))
  assert.equal(type, TYPES[name], `type of ${name}`)

// ---- hyparquet: rows ----
const buffer = await asyncBufferFromFile(file)
const parsers = { timestampFromMicroseconds: v => v }
const hex = v => Buffer.from(v).toString('hex').toUpperCase()
const plain = { time: String, int: String, octets: hex, text: String, double: Number, bool: Boolean }
for (const useOffsetIndex of [false, true]) {
  const objects = await parquetReadObjects({ file: buffer, compressors, utf8: false, parsers, useOffsetIndex })
  sameRows(`hyparquet${useOffsetIndex ? ' by OffsetIndex' : ''}`, objects.map(o => columns.map(c =>
    o[c.name] === null || o[c.name] === undefined ? null : plain[c.kind](o[c.name]))))
}
const metadata = await parquetMetadataAsync(buffer)
assert.equal(metadata.created_by, 'hepcat')
assert.equal(Number(metadata.num_rows), rows.length)
assert.deepEqual(metadata.row_groups.map(g => Number(g.num_rows)), groups)
for (const group of metadata.row_groups)
  for (const chunk of group.columns)
    assert.ok(chunk.offset_index_offset > 0 && chunk.offset_index_length > 0)

// ---- hyparquet: ColumnIndex ----
const orders = { seq: 'ASCENDING', u64: 'DESCENDING', method: 'ASCENDING', call_id: 'ASCENDING' }
for (const [name, expected] of Object.entries(orders)) {
  const at = columns.findIndex(c => c.name === name)
  let row = 0
  metadata.row_groups.slice(0, 2).forEach((group, g) => {
    const { column_index_offset: from, column_index_length: len } = group.columns[at]
    const view = new DataView(new Uint8Array(readFileSync(file)).buffer, Number(from), len)
    const index = readColumnIndex({ view, offset: 0 }, metadata.schema[at + 1])
    const cmp = order[columns[at].kind]
    if (g === 1) assert.equal(index.boundary_order, expected, `boundary order of ${name}`)
    index.min_values.forEach((min, page) => {
      const end = Math.min(row + 4096, groups[0] * (g + 1))
      const values = rows.slice(row, end).map(r => r[at]).sort(cmp)
      assert.deepEqual([String(min), String(index.max_values[page])], [values[0], values.at(-1)], `${name}, page ${page}`)
      row = end
    })
  })
}
console.log('hyparquet: ColumnIndexes are right')

// ---- statistics, as DuckDB reads them ----
const stats = await query(`SELECT row_group_id, path_in_schema, stats_min_value, stats_max_value, stats_null_count,
  bloom_filter_length, compression, encodings FROM parquet_metadata(${quoted})`)
let compared = 0
for (const [group, name, min, max, nulls, bloom] of stats) {
  const at = columns.findIndex(c => c.name === name)
  const column = columns[at]
  const first = groups.slice(0, Number(group)).reduce((a, b) => a + b, 0)
  const values = rows.slice(first, first + groups[Number(group)]).map(r => r[at]).filter(v => v !== null)
  if (column.stats) assert.equal(Number(nulls), groups[Number(group)] - values.length, `NULLs of ${name}`)
  assert.equal(bloom !== null && Number(bloom) > 0, column.bloom, `bloom filter of ${name}`)
  if (!column.stats || !order[column.kind] || column.kind === 'time' || values.length === 0) continue
  values.sort(order[column.kind])
  const [low, high] = [values[0], values.at(-1)]
  if (column.kind === 'double') assert.deepEqual([Number(min), Number(max)], [low, high], name)
  else if (name !== 'long_text') assert.deepEqual([min, max], [low, high], name)
  else {
    assert.ok(order.text(min, low) <= 0 && order.text(high, max) <= 0, 'cut bounds hold')
    assert.ok(Buffer.byteLength(max) <= 64 && !max.includes('\ufffd'), 'cut bounds are text')
  }
  compared++
}
console.log(`DuckDB: statistics of ${compared} column chunks are right`)
const aggregate = await query(`SELECT min(ts) = (SELECT ts FROM ${quoted} LIMIT 1), count(*), min(u64)::VARCHAR FROM ${quoted}`)
assert.equal(aggregate[0][0], true)
assert.equal(Number(aggregate[0][1]), rows.length)

// ---- what DuckDB does not read ----
const octetsRead = () => Number(/^rchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))[1])
async function cost(sql) {
  const before = octetsRead()
  const result = await query(sql)
  return { octets: octetsRead() - before, result }
}
const size = statSync(file).size
const all = await cost(`SELECT sum(octet_length(payload)) FROM ${quoted}`)
const callId = rows[groups[0] + 100][columns.findIndex(c => c.name === 'call_id')]
const present = await cost(`SELECT count(*), sum(octet_length(payload)) FROM ${quoted} WHERE call_id = '${callId}'`)
const absent = await cost(`SELECT sum(octet_length(payload)) FROM ${quoted} WHERE call_id = 'call-1234567@192.0.2.1'`)
const late = await cost(`SELECT count(*), sum(octet_length(payload)) FROM ${quoted} WHERE seq > ${rows.length - 20}`)
console.log(`octets read of ${size}: all payloads ${all.octets}, one Call-ID ${present.octets}, absent Call-ID ` +
  `${absent.octets}, last rows ${late.octets}`)
assert.equal(Number(present.result[0][0]), 7)
assert.equal(Number(late.result[0][0]), 14)
assert.ok(all.octets > size * 0.8)
assert.ok(present.octets < size / 2, 'one row group for a Call-ID')
assert.ok(absent.octets < size / 10, 'nothing but footer and filters for an absent Call-ID')
assert.ok(late.octets < size / 2, 'one row group for the last rows')
const probe = await query(`SELECT row_group_id, bloom_filter_excludes FROM parquet_bloom_probe(${quoted}, 'call_id', '${callId}')`)
assert.deepEqual(probe.map(p => p[1]), [true, false, true], 'bloom filters tell the row groups apart')
for (const value of ['INVITE', 'REGISTER'])
  for (const [, excludes] of await query(`SELECT row_group_id, bloom_filter_excludes FROM parquet_bloom_probe(${quoted}, 'method', '${value}')`))
    assert.equal(excludes, false)
console.log('DuckDB: bloom filters are used')
db.closeSync()
