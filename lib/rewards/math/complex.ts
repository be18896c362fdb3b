/** Complex arithmetic in doubles, principal branches. Undefined results are NaN parts, never errors. */

export interface Complex {
  readonly re: number
  readonly im: number
}

export const real = (re: number): Complex => ({ re, im: 0 })
const IMAGINARY: Complex = { re: 0, im: 1 }
const ONE = real(1)

export const plus = (a: Complex, b: Complex): Complex => ({ re: a.re + b.re, im: a.im + b.im })
export const minus = (a: Complex, b: Complex): Complex => ({ re: a.re - b.re, im: a.im - b.im })
export const scale = (a: Complex, k: number): Complex => ({ re: a.re * k, im: a.im * k })
export const abs = (a: Complex): number => Math.hypot(a.re, a.im)

export function times(a: Complex, b: Complex): Complex {
  if (a.im === 0 && b.im === 0) return real(a.re * b.re)
  return { re: a.re * b.re - a.im * b.im, im: a.re * b.im + a.im * b.re }
}

export function over(a: Complex, b: Complex): Complex {
  if (a.im === 0 && b.im === 0) return real(a.re / b.re)
  const size = b.re * b.re + b.im * b.im
  return scale(times(a, { re: b.re, im: -b.im }), 1 / size)
}

export function exp(a: Complex): Complex {
  const size = Math.exp(a.re)
  return a.im === 0 ? real(size) : { re: size * Math.cos(a.im), im: size * Math.sin(a.im) }
}

export function log(a: Complex): Complex {
  return { re: Math.log(abs(a)), im: a.im === 0 && a.re >= 0 ? 0 : Math.atan2(a.im, a.re) }
}

export function pow(base: Complex, exponent: Complex): Complex {
  const n = exponent.re
  if (exponent.im === 0 && base.im === 0 && (base.re >= 0 || Number.isInteger(n))) {
    return real(base.re ** n)
  }
  if (exponent.im === 0 && Number.isInteger(n) && Math.abs(n) <= 64) {
    let result = ONE
    for (let i = 0; i < Math.abs(n); i++) result = times(result, base)
    return n < 0 ? over(ONE, result) : result
  }
  if (abs(base) === 0) return real(n > 0 ? 0 : Number.NaN)
  return exp(times(exponent, log(base)))
}

export function sqrt(a: Complex): Complex {
  if (a.im === 0) return a.re >= 0 ? real(Math.sqrt(a.re)) : { re: 0, im: Math.sqrt(-a.re) }
  return pow(a, real(0.5))
}

/** The n-th root: real for odd n of a negative number, as school has it, else principal. */
export function root(a: Complex, n: Complex): Complex {
  if (n.im === 0 && n.re === 2) return sqrt(a)
  if (a.im === 0 && a.re < 0 && n.im === 0 && Math.abs(n.re % 2) === 1) {
    return real(-((-a.re) ** (1 / n.re)))
  }
  return pow(a, over(ONE, n))
}

export const sin = (a: Complex): Complex =>
  a.im === 0
    ? real(Math.sin(a.re))
    : { re: Math.sin(a.re) * Math.cosh(a.im), im: Math.cos(a.re) * Math.sinh(a.im) }

export const cos = (a: Complex): Complex =>
  a.im === 0
    ? real(Math.cos(a.re))
    : { re: Math.cos(a.re) * Math.cosh(a.im), im: -Math.sin(a.re) * Math.sinh(a.im) }

export const sinh = (a: Complex): Complex => scale(minus(exp(a), exp(scale(a, -1))), 0.5)
export const cosh = (a: Complex): Complex => scale(plus(exp(a), exp(scale(a, -1))), 0.5)

/** −i log(iz + √(1 − z²)) */
export function arcsin(z: Complex): Complex {
  if (z.im === 0 && Math.abs(z.re) <= 1) return real(Math.asin(z.re))
  const inner = plus(times(IMAGINARY, z), sqrt(minus(ONE, times(z, z))))
  return times({ re: 0, im: -1 }, log(inner))
}

export function arccos(z: Complex): Complex {
  return minus(real(Math.PI / 2), arcsin(z))
}

/** (i/2) log((i + z) / (i − z)) */
export function arctan(z: Complex): Complex {
  if (z.im === 0) return real(Math.atan(z.re))
  return times({ re: 0, im: 0.5 }, log(over(plus(IMAGINARY, z), minus(IMAGINARY, z))))
}

/** log(z + √(z² + 1)) */
export function arcsinh(z: Complex): Complex {
  return z.im === 0 ? real(Math.asinh(z.re)) : log(plus(z, sqrt(plus(times(z, z), ONE))))
}

export function arccosh(z: Complex): Complex {
  return log(plus(z, times(sqrt(plus(z, ONE)), sqrt(minus(z, ONE)))))
}

export function arctanh(z: Complex): Complex {
  return scale(minus(log(plus(ONE, z)), log(minus(ONE, z))), 0.5)
}
