//! The admin side: metrics page, health, JSON API.
