"""The flow of an interval: plan, count, measure, record, judge, explain and tell."""
