-- A SQLite schema shaped like that of an application for posters and events, grown over the years: INTEGER booleans,
-- DATETIME defaults, CHECK … IN, REAL money, JSON in TEXT, columns that came later.

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username VARCHAR(64) NOT NULL UNIQUE,
    email TEXT NOT NULL COLLATE NOCASE UNIQUE,
    password_hash TEXT,
    display_name TEXT,
    role TEXT NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'moderator', 'admin')),
    is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    credits REAL NOT NULL DEFAULT 0.0,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    last_login_at DATETIME
);

CREATE TABLE user_sessions (
    token TEXT PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    data TEXT,
    ip_address VARCHAR(45),
    user_agent TEXT,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    expires_at DATETIME NOT NULL
);
CREATE INDEX user_sessions_by_user ON user_sessions (user_id, expires_at DESC);

CREATE TABLE password_resets (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    used INTEGER NOT NULL DEFAULT 0 CHECK (used IN (0, 1)),
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE static_pages (
    slug TEXT NOT NULL,
    language CHAR(2) NOT NULL DEFAULT 'en',
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    is_published BOOLEAN NOT NULL DEFAULT 0,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (slug, language)
);

CREATE TABLE system_logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    level TEXT NOT NULL CHECK (level IN ('debug', 'info', 'warning', 'error')),
    component VARCHAR(40) NOT NULL,
    message TEXT NOT NULL,
    context TEXT,
    user_id INTEGER,
    logged_at DATETIME NOT NULL
);
CREATE INDEX system_logs_by_level ON system_logs (level, logged_at);
CREATE INDEX system_logs_of_errors ON system_logs (component) WHERE level = 'error';

CREATE TABLE user_media (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    filename VARCHAR(255) NOT NULL,
    mime_type TEXT NOT NULL DEFAULT 'image/jpeg',
    size INTEGER NOT NULL CHECK (size >= 0),
    width INT,
    height INT,
    thumbnail BLOB,
    taken_on DATE,
    metadata TEXT,
    uploaded_at DATETIME DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX user_media_by_user ON user_media (user_id, uploaded_at);

CREATE TABLE media_tags (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    colour CHAR(7),
    usage_count INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE media_tag_relations (
    media_id INTEGER NOT NULL REFERENCES user_media (id) ON DELETE CASCADE,
    tag_id INTEGER NOT NULL REFERENCES media_tags (id) ON DELETE CASCADE,
    confidence REAL,
    PRIMARY KEY (media_id, tag_id)
) WITHOUT ROWID;
CREATE INDEX media_tag_relations_by_tag ON media_tag_relations (tag_id);

CREATE TABLE llm_providers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    base_url TEXT,
    is_enabled INTEGER DEFAULT 1 CHECK (is_enabled IN (0, 1)),
    options TEXT
);

CREATE TABLE llm_configurations (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider_id INTEGER NOT NULL REFERENCES llm_providers (id) ON DELETE RESTRICT,
    model VARCHAR(20) NOT NULL,
    temperature REAL DEFAULT 0.7 CHECK (temperature BETWEEN 0 AND 2),
    max_tokens INTEGER,
    is_default INTEGER NOT NULL DEFAULT 0,
    UNIQUE (user_id, provider_id, model)
);
CREATE UNIQUE INDEX llm_configurations_default ON llm_configurations (user_id) WHERE is_default = 1;

CREATE TABLE llm_prompts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    purpose TEXT NOT NULL CHECK (purpose IN ('extract', 'classify', 'write')),
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE llm_prompt_versions (
    id INTEGER PRIMARY KEY,
    prompt_id INTEGER NOT NULL REFERENCES llm_prompts (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    template TEXT NOT NULL,
    variables TEXT NOT NULL DEFAULT '[]',
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (prompt_id, version)
);

CREATE TABLE llm_usage_logs (
    id INTEGER PRIMARY KEY,
    user_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    configuration_id INTEGER REFERENCES llm_configurations (id) ON DELETE SET NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    cost REAL NOT NULL,
    duration_ms INTEGER,
    succeeded INTEGER NOT NULL DEFAULT 1,
    error TEXT,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX llm_usage_logs_by_user ON llm_usage_logs (user_id, created_at);

CREATE TABLE llm_cost_tracking (
    user_id INTEGER NOT NULL,
    provider_id INTEGER NOT NULL,
    day DATE NOT NULL,
    requests INTEGER NOT NULL DEFAULT 0,
    total NUMERIC NOT NULL DEFAULT 0,
    budget DECIMAL(10, 2),
    PRIMARY KEY (user_id, provider_id, day),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    FOREIGN KEY (provider_id) REFERENCES llm_providers (id)
);

CREATE TABLE event_categories (
    id INTEGER PRIMARY KEY,
    parent_id INTEGER REFERENCES event_categories (id) ON DELETE SET NULL,
    name TEXT NOT NULL,
    position SMALLINT NOT NULL DEFAULT 0,
    UNIQUE (parent_id, name)
);

CREATE TABLE rejected_events (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    payload TEXT NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('duplicate', 'incomplete', 'spam')),
    rejected_at DATETIME DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE user_api_keys (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1)),
    last_used_at DATETIME,
    UNIQUE (digest)
);
CREATE UNIQUE INDEX user_api_keys_active ON user_api_keys (user_id, name) WHERE revoked = 0;

CREATE TABLE temporary_uploads (
    id TEXT PRIMARY KEY,
    content BLOB NOT NULL,
    received INTEGER NOT NULL DEFAULT 0,
    expires_at DATETIME NOT NULL
);

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    category_id INTEGER NOT NULL DEFAULT 0 REFERENCES event_categories (id) ON DELETE RESTRICT,
    user_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    media_id INTEGER REFERENCES user_media (id) ON DELETE SET NULL,
    title TEXT NOT NULL,
    description TEXT,
    starts_at DATETIME NOT NULL,
    ends_at DATETIME,
    price REAL,
    currency CHAR(3) DEFAULT 'EUR',
    status TEXT NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'cancelled')),
    extra TEXT DEFAULT '{}'
);
CREATE INDEX events_by_start ON events (status, starts_at);

CREATE TABLE temporary_events (
    session_token TEXT NOT NULL,
    position INTEGER NOT NULL,
    payload TEXT NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (session_token, position)
) WITHOUT ROWID;

CREATE TABLE event_claims (
    id INTEGER PRIMARY KEY,
    event_id INTEGER NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'granted', 'refused')),
    evidence TEXT,
    claimed_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (event_id, user_id)
);

CREATE TABLE social_media_posts (
    id INTEGER PRIMARY KEY,
    event_id INTEGER NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    platform TEXT NOT NULL CHECK (platform IN ('mastodon', 'instagram', 'bluesky')),
    text TEXT NOT NULL,
    posted INTEGER NOT NULL DEFAULT 0,
    external_id TEXT,
    posted_at DATETIME
);

CREATE TABLE short_links (
    code TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    label TEXT COLLATE NOCASE,
    clicks BIGINT NOT NULL DEFAULT 0,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX short_links_by_label ON short_links (label);

-- No primary key, as counters that are only ever added to had none.
CREATE TABLE rate_limits (
    scope TEXT NOT NULL,
    identifier TEXT NOT NULL,
    hits INTEGER NOT NULL DEFAULT 1,
    window_started_at DATETIME NOT NULL
);
CREATE INDEX rate_limits_by_scope ON rate_limits (scope, identifier);

ALTER TABLE users ADD COLUMN locale VARCHAR(5) NOT NULL DEFAULT 'en';
ALTER TABLE users ADD COLUMN preferences TEXT DEFAULT '{"theme": "light"}';
ALTER TABLE users ADD COLUMN email_verified INTEGER NOT NULL DEFAULT 0;
ALTER TABLE user_media ADD COLUMN is_public BOOLEAN NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN view_count INTEGER DEFAULT 0;
ALTER TABLE events ADD COLUMN latitude REAL;
ALTER TABLE events ADD COLUMN longitude REAL;
ALTER TABLE llm_prompts ADD COLUMN current_version_id INTEGER REFERENCES llm_prompt_versions (id) ON DELETE SET NULL;
ALTER TABLE short_links ADD COLUMN event_id INTEGER REFERENCES events (id) ON DELETE CASCADE;

CREATE VIEW upcoming_events AS
    SELECT events.id, events.title, events.starts_at, event_categories.name AS category
    FROM events JOIN event_categories ON event_categories.id = events.category_id
    WHERE events.status = 'published';

CREATE TRIGGER media_tags_counted AFTER INSERT ON media_tag_relations
BEGIN
    UPDATE media_tags SET usage_count = usage_count + 1 WHERE id = NEW.tag_id;
END;
