"""An embedded fleet of simulated model services with real ``/metrics`` and control endpoints."""
