//! What is agreed on with a client before pictures come: who it is, which stream, by which way.

use std::{sync::Arc, time::Duration};

use streamd_protocol::limits::Limits;

use super::{
    address::{Address, TRACK},
    answer::{Answer, Status},
    description::{self, Described},
    jpeg, payload,
    request::{Method, Request},
    rtp::{self, Stream},
    session::{self, Session, Then, always},
    sockets::{Hosts, Pair},
    transport::{Way, choose},
};
use crate::{
    access::role::{Action, Identity, Shown, may},
    camera::{Camera, Place, Refused},
    http::{credentials::token_of, visitor::product},
    hub::Subscription,
    media::{CODECS, Codec, Level, Packet, Timestamp, Track},
    sound,
    viewer::viewers::Viewers,
};

/// How long a description waits for a picture of a camera that may just be switched on.
const FIRST_PICTURE: Duration = Duration::from_secs(3);

/// What a client without a token is told to show.
const CHALLENGE: &str = "Basic realm=\"streamd\"";

/// What has been agreed on.
pub struct Agreed {
    /// The session.
    pub session: Session,
    /// The limits in its address.
    pub limits: Limits,
    /// By which way.
    pub by: By,
    /// By which way sound goes beside them, if it is wanted.
    pub sound_by: Option<By>,
    /// Who it is, by what it has shown.
    pub who: Shown,
    camera: Arc<Camera>,
}

/// By which way pictures go.
pub enum By {
    /// In blocks of the connection, on these channels.
    Blocks(u8, u8),
    /// In datagrams of these sockets.
    Datagrams(Pair),
}

impl By {
    /// The sockets, if it goes by such.
    pub fn into_pair(self) -> Option<Pair> {
        match self {
            Self::Datagrams(pair) => Some(pair),
            Self::Blocks(..) => None,
        }
    }
}

/// The sound that is agreed on, and by which way it goes.
struct Heard {
    camera: String,
    sound: session::Sound,
    by: By,
}

/// What becomes of the connection.
pub enum Next {
    /// It is asked more.
    Stay,
    /// It ends.
    End,
    /// Pictures come, and this is the place for them.
    Play(Box<Agreed>, Place),
}

/// A conversation with one client.
pub struct Conversation {
    viewers: Arc<Viewers>,
    peer: String,
    hosts: Option<Hosts>,
    /// What the client calls itself; may be empty.
    pub name: String,
    /// Who it is, by the last token that it has shown.
    who: Option<Identity>,
    agreed: Option<Box<Agreed>>,
    /// The name of the session, from the first stream on that is agreed on.
    id: Option<String>,
    /// Sound that goes beside the pictures.
    heard: Option<Heard>,
    /// Keeps the camera on from the description until pictures are wanted.
    warm: Option<Subscription>,
}

impl Conversation {
    /// One with a client that has said nothing yet. `hosts` is `None` where all has to go by the
    /// connection.
    pub fn new(viewers: Arc<Viewers>, peer: String, hosts: Option<Hosts>) -> Self {
        Self {
            viewers,
            peer,
            hosts,
            name: String::new(),
            who: None,
            agreed: None,
            id: None,
            heard: None,
            warm: None,
        }
    }

    /// Answers a request.
    pub async fn answer(&mut self, request: &Request) -> (Answer, Next) {
        if let Some(agent) = request.header("user-agent") {
            product(agent).clone_into(&mut self.name);
        }
        if let Some(answer) = always(request) {
            return (answer, Next::Stay);
        }
        let answered = match request.method {
            Method::Describe => self.describe(request).await,
            Method::Setup => self.set_up(request).await,
            _ => return self.within(request),
        };
        (answered.unwrap_or_else(|refusal| refusal), Next::Stay)
    }

    /// What is asked for within a session.
    fn within(&mut self, request: &Request) -> (Answer, Next) {
        let Some(agreed) = &self.agreed else {
            if let (Method::Play, Some(_)) = (request.method, &self.heard) {
                let words = format!("sound goes beside pictures: set up {TRACK} as well");
                return (Answer::refused(Status::NotValidNow, words), Next::Stay);
            }
            // That a client is there it may say at any time.
            let status = match request.method {
                Method::GetParameter | Method::SetParameter => Status::Ok,
                _ => Status::SessionNotFound,
            };
            return (Answer::new(status), Next::Stay);
        };
        let (answer, then) = agreed.session.answer(request);
        match then {
            Then::Nothing | Then::Pause => (answer, Next::Stay),
            Then::End => (answer, Next::End),
            Then::Play => self.play(answer),
        }
    }

    /// Gives the client a place, if it may still watch.
    fn play(&mut self, answer: Answer) -> (Answer, Next) {
        let Some(agreed) = self.agreed.take() else {
            return (Answer::new(Status::SessionNotFound), Next::Stay);
        };
        let camera = &*agreed.camera.name;
        let who = self.viewers.rules.identity(agreed.who.proof.as_ref());
        let refusal = match may(&who, Action::Watch, Some(camera)) {
            true => match self.viewers.admit(Some(camera), &self.peer) {
                Ok(place) => return (answer, Next::Play(agreed, place)),
                Err(refused) => not_admitted(&refused),
            },
            false => unauthorized(),
        };
        self.agreed = Some(agreed);
        (refusal, Next::Stay)
    }

    async fn describe(&mut self, request: &Request) -> Result<Answer, Answer> {
        let (address, camera) = self.find(request).await?;
        let limits = self.offered(&camera, &address)?;
        let picture = self.picture(&camera, &limits).await?;
        let any = [0, 0, 0, 0].into();
        let text = description::write(&Described {
            camera: &camera.name,
            codec: limits.codec,
            fps: camera.settings().config.fps.get(),
            picture: picture.as_deref(),
            channels: camera
                .sound()
                .and_then(|sound| sound.settings())
                .map(|settings| settings.channels.get()),
            host: self.hosts.map_or(any, |hosts| hosts.here),
        });
        let base = format!("{}/", request.uri.trim_end_matches('/'));
        Ok(Answer::new(Status::Ok)
            .with("Content-Base", base)
            .saying("application/sdp", text))
    }

    async fn set_up(&mut self, request: &Request) -> Result<Answer, Answer> {
        let (address, camera) = self.find(request).await?;
        let is_there = match address.is_sound {
            true => self.heard.is_some(),
            false => self.agreed.is_some(),
        };
        if is_there {
            let words = "one session has one stream of pictures, and one of sound";
            return Err(Answer::refused(Status::NotValidNow, words));
        }
        if address.is_sound {
            return self.set_up_sound(request, &camera);
        }
        let limits = self.offered(&camera, &address)?;
        let stream = Stream::new(payload::kind(limits.codec), rtp::PICTURES).map_err(lacking)?;
        let (id, by, answer) = self.choose(request, &stream)?;
        self.agreed = Some(Box::new(Agreed {
            session: Session::new(id, request.uri.clone(), stream),
            limits,
            by,
            sound_by: None,
            who: self.who.as_ref().map(Shown::of).unwrap_or_default(),
            camera,
        }));
        if let Err(refused) = self.beside() {
            self.agreed = None;
            return Err(refused);
        }
        Ok(answer)
    }

    fn set_up_sound(&mut self, request: &Request, camera: &Camera) -> Result<Answer, Answer> {
        if camera.sound().is_none() {
            let words = format!("camera {} has no sound", camera.name);
            return Err(Answer::refused(Status::NotFound, words));
        }
        let stream = Stream::new(payload::OPUS, sound::RATE).map_err(lacking)?;
        let (_, by, answer) = self.choose(request, &stream)?;
        let uri = request.uri.clone();
        self.heard = Some(Heard {
            camera: camera.name.clone(),
            sound: session::Sound { uri, stream },
            by,
        });
        if let Err(refused) = self.beside() {
            self.heard = None;
            return Err(refused);
        }
        Ok(answer)
    }

    /// Puts the sound that is agreed on beside the pictures, once there are both.
    fn beside(&mut self) -> Result<(), Answer> {
        let Some(agreed) = &mut self.agreed else {
            return Ok(());
        };
        let Some(heard) = self.heard.take() else {
            return Ok(());
        };
        let fit = match (&agreed.by, &heard.by) {
            (By::Blocks(rtp, rtcp), By::Blocks(other, other_rtcp)) => {
                let taken = [rtp, rtcp];
                !taken.contains(&other) && !taken.contains(&other_rtcp)
            }
            (By::Datagrams(_), By::Datagrams(_)) => true,
            _ => false,
        };
        if !fit || agreed.camera.name != heard.camera {
            self.heard = Some(heard);
            let words =
                "pictures and sound are of one camera, and go by one way, on channels of their own";
            return Err(Answer::refused(Status::UnsupportedTransport, words));
        }
        agreed.session.sound = Some(heard.sound);
        agreed.sound_by = Some(heard.by);
        Ok(())
    }

    /// Chooses the way of a stream, among those that the client offers: with the name of the session,
    /// and the answer.
    fn choose(
        &mut self,
        request: &Request,
        stream: &Stream,
    ) -> Result<(String, By, Answer), Answer> {
        let offers = request.header("transport").unwrap_or_default();
        let there = self.hosts.map(|hosts| hosts.there.to_string());
        let way = choose(offers, there.as_deref()).ok_or_else(|| {
            let allowed = match there {
                Some(_) => {
                    "RTP/AVP/TCP;interleaved=0-1, or RTP/AVP;unicast;client_port=… to yourself"
                }
                None => "RTP/AVP/TCP;interleaved=0-1",
            };
            Answer::refused(Status::UnsupportedTransport, format!("allowed: {allowed}"))
        })?;
        let (by, chosen) = match (way, self.hosts) {
            (Way::Interleaved { rtp, rtcp }, _) => {
                let chosen = format!("RTP/AVP/TCP;unicast;interleaved={rtp}-{rtcp}");
                (By::Blocks(rtp, rtcp), chosen)
            }
            (Way::Datagrams { rtp, rtcp }, Some(hosts)) => {
                let pair = Pair::bind(hosts, (rtp, rtcp)).map_err(lacking)?;
                let (own_rtp, own_rtcp) = pair.ports();
                let chosen = format!(
                    "RTP/AVP;unicast;client_port={rtp}-{rtcp};server_port={own_rtp}-{own_rtcp}"
                );
                (By::Datagrams(pair), chosen)
            }
            (Way::Datagrams { .. }, None) => unreachable!("it is chosen with a peer only"),
        };
        let id = match &self.id {
            Some(id) => id.clone(),
            None => session::new_id().map_err(lacking)?,
        };
        self.id = Some(id.clone());
        let chosen = format!("{chosen};ssrc={:08X}", stream.ssrc());
        let answer = session::answered(&id, Status::Ok).with("Transport", chosen);
        Ok((id, by, answer))
    }

    /// The camera at an address, for who may watch it.
    async fn find(&mut self, request: &Request) -> Result<(Address, Arc<Camera>), Answer> {
        let address = Address::read(&request.uri);
        let token = address
            .as_ref()
            .ok()
            .and_then(|address| address.token.as_deref());
        let who = self
            .identify(request.header("authorization"), token)
            .await?;
        let allowed = |camera: Option<&str>| match may(&who, Action::Watch, camera) {
            true => Ok(()),
            false if who.is_outsider() => Err(unauthorized()),
            false => Err(Answer::new(Status::Forbidden)),
        };
        allowed(None)?;
        let address = address.map_err(|wrong| Answer::refused(Status::BadRequest, wrong))?;
        let camera = self.viewers.cameras.find(address.camera.as_deref());
        let camera = camera.map_err(|none| Answer::refused(Status::NotFound, none))?;
        allowed(Some(&camera.name))?;
        Ok((address, Arc::clone(camera)))
    }

    /// Who asks, by the token in the request, or else by the last one.
    async fn identify(
        &mut self,
        header: Option<&str>,
        in_query: Option<&str>,
    ) -> Result<Identity, Answer> {
        let rules = &self.viewers.rules;
        let anybody = rules.identity(None);
        let in_query = in_query.filter(|_| rules.in_query()).map(str::to_owned);
        let shown = match header {
            Some(header) => Some(token_of(header).unwrap_or_default()),
            None => in_query,
        };
        let known = match &shown {
            Some(token) => rules.known(token),
            None => self.who.clone(),
        };
        if let Some(known) = known {
            self.who = Some(known.clone());
            return Ok(known);
        }
        if shown.is_some() && anybody.is_outsider() {
            let refused = self.viewers.refuse_token(&self.peer).await;
            return Err(match refused {
                Ok(()) => unauthorized(),
                Err(too_many) => Answer::refused(Status::Unavailable, too_many),
            });
        }
        Ok(anybody)
    }

    /// The limits with which what is asked for at an address can be sent; they say in which coding.
    fn offered(&self, camera: &Camera, address: &Address) -> Result<Limits, Answer> {
        let unsupported = |words| Answer::refused(Status::UnsupportedMediaType, words);
        let best = if CODECS.contains(&Codec::H264) {
            Codec::H264
        } else {
            Codec::Jpeg
        };
        let codec = address.codec.unwrap_or(best);
        let mut limits = Limits {
            codec,
            ..address.limits
        };
        if !CODECS.contains(&codec) {
            let words = format!("this streamd was built without {codec:?}; allowed: codec=jpeg");
            return Err(unsupported(words));
        }
        if codec == Codec::H264 {
            return Ok(limits);
        }
        let (width, height) = camera.size();
        let most = jpeg::MOST_SIDE;
        let side = width.max(height).max(1);
        if side > most {
            let fits = width * most / side;
            limits.max_width = Some(limits.max_width.map_or(fits, |own| own.min(fits)));
        }
        match track(camera, &limits) {
            Some(_) => Ok(limits),
            None => Err(unsupported(format!(
                "camera {} has pictures of {width}x{height}, and RTP carries JPEG up to {most}x{most}; a rung of half the size in its `ladder` would fit, or H.264",
                camera.name,
            ))),
        }
    }

    /// A picture of what is described, as soon as there is one, of a stream its key; `None` where
    /// that takes long.
    async fn picture(
        &mut self,
        camera: &Camera,
        limits: &Limits,
    ) -> Result<Option<Arc<Packet>>, Answer> {
        let Some(track) = track(camera, limits) else {
            return Ok(None);
        };
        let mut subscription = camera.hub.subscribe();
        let picture = subscription.next(track, Timestamp::default());
        let picture = tokio::time::timeout(FIRST_PICTURE, picture).await.ok();
        self.warm = Some(subscription);
        if let (Some(picture), Codec::Jpeg) = (&picture, limits.codec)
            && let Err(not) = jpeg::Scan::read(&picture.bytes)
        {
            let words = format!("camera {}: {not}", camera.name);
            return Err(Answer::refused(Status::UnsupportedMediaType, words));
        }
        Ok(picture)
    }
}

/// The best track within these limits; of JPEG one that is no wider than they allow.
fn track(camera: &Camera, limits: &Limits) -> Option<Track> {
    if limits.codec == Codec::H264 {
        return Some(Track::H264(Level::High));
    }
    let settings = camera.settings();
    let (width, _) = camera.size();
    let mut ladder = settings.ladder.iter();
    let fits = |divisor| {
        limits
            .max_width
            .is_none_or(|most| width.div_ceil(divisor) <= most)
    };
    let best = ladder.find(|rung| fits(rung.scale.divisor()));
    best.map(|rung| Track::Jpeg(*rung))
}

fn lacking(error: std::io::Error) -> Answer {
    Answer::refused(Status::Unavailable, error)
}

fn unauthorized() -> Answer {
    Answer::new(Status::Unauthorized).with("WWW-Authenticate", CHALLENGE)
}

fn not_admitted(refused: &Refused) -> Answer {
    let status = match refused {
        Refused::NoCamera(_) => Status::NotFound,
        Refused::Full { .. } | Refused::FullForAddress { .. } => Status::NotEnoughBandwidth,
    };
    Answer::refused(status, refused)
}
