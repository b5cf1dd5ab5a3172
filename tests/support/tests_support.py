"""What several test files share."""

SMALL = """
name: small
trainable:
  model: {name: fc, width: 16, depth: 2}
  data: {name: digits, train: 64}
axes: {eta: [0.1, 0.3], lam: [0, 0.01, 0.1]}
budget: {rule: inverse_eta_lam, constant: 1, max: 60}
measure: {log: 10}
analysis: {budgets: [10, 50]}
"""
