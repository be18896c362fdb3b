/** Sums, differences and products of matrices, entry by entry as expressions; bounded in size. */
import { apply, type Expr, isApply } from './expr.ts'

type Matrix = Expr[][]

const MAX_ENTRIES = 400

/** The entries of a matrix expression (scalars times matrices included), or null for anything else. */
export function asMatrix(a: Expr): Matrix | null {
  if (a.type !== 'apply') return null
  if (a.head === 'matrix') {
    const rows = a.args.map(row => (isApply(row, 'row') ? [...row.args] : []))
    return rows.length * rows[0]!.length <= MAX_ENTRIES ? rows : null
  }
  if (a.head !== 'add' && a.head !== 'multiply') return null
  const parts = a.args.map(arg => asMatrix(arg) ?? arg)
  if (!parts.some(part => Array.isArray(part))) return null
  const operation = a.head === 'add' ? sum : product
  let result: Matrix | Expr | null = parts[0]!
  for (const part of parts.slice(1)) {
    if (result === null) return null
    result = operation(result, part)
  }
  return Array.isArray(result) ? result : null
}

function sum(x: Matrix | Expr, y: Matrix | Expr): Matrix | null {
  if (!Array.isArray(x) || !Array.isArray(y)) return null
  if (x.length !== y.length || x[0]!.length !== y[0]!.length) return null
  return x.map((row, i) => row.map((entry, j) => apply('add', entry, y[i]![j]!)))
}

function product(x: Matrix | Expr, y: Matrix | Expr): Matrix | Expr | null {
  if (!Array.isArray(x)) {
    if (!Array.isArray(y)) return apply('multiply', x, y)
    return y.map(row => row.map(entry => apply('multiply', x, entry)))
  }
  if (!Array.isArray(y)) return x.map(row => row.map(entry => apply('multiply', entry, y)))
  if (x[0]!.length !== y.length || x.length * y[0]!.length > MAX_ENTRIES || y.length > 20)
    return null
  return x.map(row =>
    y[0]!.map((_, j) =>
      apply('add', ...row.map((entry, k) => apply('multiply', entry, y[k]![j]!))),
    ),
  )
}
