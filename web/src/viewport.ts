// The part of a scrolled element that is seen, at most once a frame.
import { type RefObject } from 'preact'
import { signal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'

export interface Viewport { left: number; top: number; width: number; height: number }

export function useViewport(ref: RefObject<HTMLElement | null>): Viewport {
  const [seen, setSeen] = useState<Viewport>({ left: 0, top: 0, width: 0, height: 0 })
  useEffect(() => {
    const el = ref.current
    if (!el) return
    let frame = 0
    const read = () => {
      frame = 0
      setSeen((old) => {
        const now = { left: el.scrollLeft, top: el.scrollTop, width: el.clientWidth, height: el.clientHeight }
        return old.left === now.left && old.top === now.top && old.width === now.width && old.height === now.height ? old : now
      })
    }
    const soon = () => { frame ||= requestAnimationFrame(read) }
    const sizes = new ResizeObserver(soon)
    sizes.observe(el)
    el.addEventListener('scroll', soon, { passive: true })
    read()
    return () => { cancelAnimationFrame(frame); sizes.disconnect(); el.removeEventListener('scroll', soon) }
  }, [])
  return seen
}

// scheme changes when the screen gets dark or light: what is drawn must be drawn again.
const darkness = matchMedia('(prefers-color-scheme: dark)')
export const scheme = signal(darkness.matches)
darkness.addEventListener('change', () => { scheme.value = darkness.matches })

// colours reads colours of the style sheet, for what is drawn on a canvas.
export function colours(el: HTMLElement) {
  const style = getComputedStyle(el)
  return (name: string) => style.getPropertyValue(`--${name}`).trim()
}

// fit makes a canvas as sharp as the screen, and returns what draws on it in CSS pixels.
export function fit(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = devicePixelRatio || 1
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio)
    canvas.height = Math.round(height * ratio)
    canvas.style.width = `${width}px`
    canvas.style.height = `${height}px`
  }
  const c = canvas.getContext('2d')!
  c.setTransform(ratio, 0, 0, ratio, 0, 0)
  c.clearRect(0, 0, width, height)
  return c
}
