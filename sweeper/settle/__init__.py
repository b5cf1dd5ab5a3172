"""Settling of open claims: which points to add to a sweep, in rounds, until its claims are decided or time is up.

``results.settling`` chooses the points and the driver trains them. The room keeps the time and asks before it trains.
A round leaves a sweep as any run does, so an interruption loses nothing. No training and no statistics belong here.
"""
